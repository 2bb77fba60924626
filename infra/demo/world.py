"""The two seeded cooperatives: who they are, what they grow, who buys. Names are invented, the places are real."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold: one step is `step_milliunits` thousandths of `unit`; `pledged_steps` per household and day."""

    code: str
    name: str
    crop: str
    unit: str
    step_milliunits: int
    price_vnd: int
    pledged_steps: int
    grade: str = "loại 1"
    ocop_stars: int | None = None
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shop:
    """A partner: where it sells, in which format it pushes, and what it calls the products (sku → code, factor)."""

    name: str
    adapter: str
    skus: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Cooperative:
    """A cooperative with everything that a market day needs."""

    slug: str
    name: str
    collection_point: str
    cut_off_time: str
    arrive_by_time: str
    households: tuple[str, ...]
    products: tuple[Product, ...]
    shops: tuple[Shop, ...]
    certificates: tuple[str, ...] = ()
    """What each of its households holds."""

    @property
    def code(self) -> str:
        """Short reference, the first part of household codes: first letters of the slug's words, and its numbers."""
        return "".join(part if part.isdigit() else part[0] for part in self.slug.split("-")).upper()

    def household_code(self, index: int) -> str:
        """Code of the household at this place of the list, such as VH-03."""
        return f"{self.code}-{index + 1:02d}"


_ORGANIC = ("Hữu cơ TCVN 11041", "VietGAP")


def _kg(code: str, name: str, price_vnd: int, pledged_steps: int) -> Product:
    return Product(code, name, name.lower(), "kg", 500, price_vnd, pledged_steps, certificates=_ORGANIC)


def _bunch(code: str, name: str, price_vnd: int, pledged_steps: int) -> Product:
    return Product(code, name, name.lower(), "bó", 1000, price_vnd, pledged_steps, certificates=_ORGANIC)


VAN_HO = Cooperative(
    slug="van-ho",
    name="Hợp tác xã Rau hữu cơ Vân Hồ",
    collection_point="Nhà văn hóa bản Hua Tạt",
    cut_off_time="16:00",
    arrive_by_time="04:30",
    households=(
        "Giàng A Sùng",
        "Sùng Thị Mỷ",
        "Tráng A Páo",
        "Vàng A Lử",
        "Mùa Thị Dợ",
        "Giàng Thị Chá",
        "Hạng A Tủa",
        "Sồng A Nếnh",
    ),
    products=(
        _kg("bap-cai", "Bắp cải", 12_000, 120),
        _kg("bi-do", "Bí đỏ", 15_000, 60),
        _kg("ca-chua", "Cà chua", 22_000, 80),
        _kg("cai-meo", "Cải mèo", 18_000, 70),
        _kg("dau-co-ve", "Đậu cô ve", 24_000, 40),
        _kg("dua-chuot", "Dưa chuột", 20_000, 60),
        _kg("su-hao", "Su hào", 14_000, 60),
        _bunch("hanh-la", "Hành lá", 6_000, 40),
        _bunch("ngon-su-su", "Ngọn su su", 10_000, 50),
        _bunch("rau-mui", "Rau mùi", 5_000, 3),  # little of it: this one is oversold
    ),
    shops=(
        Shop(
            "Thực phẩm sạch Hà Nội",
            "canonical",
            {
                "BC-01": ("bap-cai", "1"),
                "BD-01": ("bi-do", "1"),
                "CC-500": ("ca-chua", "0.5"),
                "CM-01": ("cai-meo", "1"),
                "DCV-500": ("dau-co-ve", "0.5"),
                "DC-01": ("dua-chuot", "1"),
                "SH-01": ("su-hao", "1"),
                "HL-BO": ("hanh-la", "1"),
                "NSS-BO": ("ngon-su-su", "1"),
                "RM-BO": ("rau-mui", "1"),
            },
        ),
        Shop(
            "Rau bản Vân Hồ (cửa hàng WooCommerce)",
            "woocommerce",
            {
                "rau-cai-meo-1kg": ("cai-meo", "1"),
                "ca-chua-1kg": ("ca-chua", "1"),
                "bap-cai-thung-5kg": ("bap-cai", "5"),
                "ngon-su-su-bo": ("ngon-su-su", "1"),
                "rau-mui-bo": ("rau-mui", "1"),
                "dua-chuot-1kg": ("dua-chuot", "1"),
            },
        ),
    ),
    certificates=_ORGANIC,
)

CHIENG_MAI = Cooperative(
    slug="chieng-mai",
    name="Hợp tác xã Cà phê đặc sản Chiềng Mai",
    collection_point="Xưởng chế biến bản Cuộm Sơn",
    cut_off_time="17:30",
    arrive_by_time="06:00",
    households=(
        "Lò Văn Inh",
        "Cầm Thị Hoa",
        "Quàng Văn Minh",
        "Hà Văn Thoan",
        "Lường Thị Xuân",
        "Tòng Văn Phúc",
        "Hoàng Văn Bun",
        "Cà Thị Ơn",
        "Lò Thị Mai",
        "Bạc Cầm Sơn",
        "Vì Văn Hặc",
        "Đèo Thị Yên",
        "Mè Văn Tâm",
        "Lèo Văn Hải",
        "Quàng Thị Thu",
        "Cầm Văn Đôi",
        "Lò Văn Pản",
        "Tòng Thị Hương",
    ),
    products=(
        Product(
            "arabica-rang-xay",
            "Cà phê Arabica rang xay, túi 250 g",
            "cà phê Arabica",
            "túi",
            1000,
            95_000,
            14,
            grade="đặc sản",
            ocop_stars=4,
        ),
        Product(
            "arabica-rang-hat",
            "Cà phê Arabica rang hạt",
            "cà phê Arabica",
            "kg",
            500,
            340_000,
            10,
            grade="đặc sản",
            ocop_stars=4,
        ),
        Product("arabica-nhan", "Cà phê Arabica nhân xanh", "cà phê Arabica", "kg", 500, 168_000, 30, ocop_stars=3),
    ),
    shops=(
        Shop(
            "Postmart",
            "canonical",
            {
                "CF-RX-250": ("arabica-rang-xay", "1"),
                "CF-RH-500": ("arabica-rang-hat", "0.5"),
                "CF-N-1": ("arabica-nhan", "1"),
            },
        ),
        Shop(
            "Cà phê Chiềng Mai (cửa hàng WooCommerce)",
            "woocommerce",
            {
                "rang-xay-250g": ("arabica-rang-xay", "1"),
                "rang-hat-1kg": ("arabica-rang-hat", "1"),
                "nhan-xanh-5kg": ("arabica-nhan", "5"),
            },
        ),
    ),
)

COOPERATIVES = (VAN_HO, CHIENG_MAI)
ZONE = "Asia/Ho_Chi_Minh"
