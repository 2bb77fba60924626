"""All SQL of the service, by subject: the books from catalog, partners and their SKU maps, orders."""
