"""The rules of `orders`: which push wins, which offer a line is bound to, and what an order stands at."""
