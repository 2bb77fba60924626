"""The signatures of our requests, against vectors of the platforms' documentation or computed with openssl."""

from services.orders.platforms import lazada, shopee, tiktok


def test_tiktoks_own_vector() -> None:
    params = {"timestamp": "1623812664", "app_key": "29a39d", "sign": "x", "access_token": "y"}
    computed = tiktok.sign("e59af819cc", "/authorization/202309/shops", params)
    assert computed == "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"


def test_lazadas_own_vector() -> None:
    params = {
        "timestamp": "1517820392000",
        "app_key": "123456",
        "access_token": "test",
        "sign_method": "sha256",
        "order_id": "1234",
    }
    computed = lazada.sign("helloworld", "/order/get", params)
    assert computed == "4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A"
    assert lazada.sign("helloworld", "/order/get", params | {"sign": computed}) == computed


def test_shopee_signs_for_a_shop_and_for_the_app() -> None:
    # printf '%s' 1000639/api/v2/order/get_order_detail1732320000token-1323233231 | openssl dgst -sha256 -hmac key-1
    of_shop = shopee.sign("key-1", "1000639", shopee.DETAIL, "1732320000", "token-1", "323233231")
    assert of_shop == "d2c79f9b8f18cf063bb72843e416f73f4927be63f601cf24f761747d629db35d"
    # printf '%s' 1000639/api/v2/auth/access_token/get1732320000 | openssl dgst -sha256 -hmac key-1
    of_app = shopee.sign("key-1", "1000639", shopee.REFRESH, "1732320000")
    assert of_app == "9c58956b9533f5ceb43d93a4ca665de3d4d2448af2e1d260de8e3705078d1901"
