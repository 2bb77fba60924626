"""Routes for the products of a cooperative."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from services.catalog import announcements
from services.catalog.domain import identity
from services.catalog.domain.values import Product, Refused
from services.catalog.domain.weights import resolve_step_grams
from services.catalog.http.context import Here, Paged, Tenant, telling_refusals
from services.catalog.http.fields import Body, Code, Text
from services.catalog.store import members as store
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found, refusals

router = APIRouter(prefix="/cooperatives/{slug}/products", tags=["products"], responses=refusals(404))

StepMilliunits = Annotated[
    int,
    Field(strict=True, ge=1, le=1_000_000, description="One step in thousandths of the unit: 500 of kg is 500 g."),
]
StepGrams = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=1_000_000,
        description="What one step weighs. It follows from the unit where that is kg or g; null: no weight is known.",
    ),
]
OcopStars = Annotated[int, Field(strict=True, ge=3, le=5, description="Stars of the programme OCOP.")]


class ProductBody(Body):
    """A product that is listed."""

    code: Code
    name: Text
    crop: Text
    grade: Text
    unit: Annotated[Text, Field(examples=["kg", "bó"])]
    step_milliunits: StepMilliunits
    ocop_stars: OcopStars | None = None
    certificates: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    step_grams: StepGrams | None = None

    def product(self, cooperative_id: UUID) -> Product:
        """For the store, with its id. Raises Faulty for a weight that contradicts the unit."""
        return Product(
            identity.product_id(cooperative_id, self.code),
            self.code,
            self.name,
            self.crop,
            self.grade,
            self.unit,
            self.step_milliunits,
            self.ocop_stars,
            self.certificates,
            resolve_step_grams(self.unit, self.step_milliunits, self.step_grams),
        )


class ProductAnswer(BaseModel):
    """A product."""

    product_id: UUID
    code: str
    name: str
    crop: str
    grade: str
    unit: str
    step_milliunits: int
    ocop_stars: int | None
    certificates: list[str]
    step_grams: int | None

    @classmethod
    def of(cls, product: Product) -> "ProductAnswer":
        """As stored."""
        return cls(
            product_id=product.product_id,
            code=product.code,
            name=product.name,
            crop=product.crop,
            grade=product.grade,
            unit=product.unit,
            step_milliunits=product.step_milliunits,
            ocop_stars=product.ocop_stars,
            certificates=list(product.certificates),
            step_grams=product.step_grams,
        )


class ProductsAnswer(BaseModel):
    """A page of products by code."""

    products: list[ProductAnswer]
    next_after: str | None


@router.post("", status_code=status.HTTP_201_CREATED, summary="List a product", responses=refusals(409))
async def register(body: ProductBody, tenant: Tenant, here: Here) -> ProductAnswer:
    """Its unit and step stay for ever, since orders are counted in steps."""

    async def work(tx: Transaction) -> Product:
        product = body.product(tenant.cooperative_id)
        if not await store.insert_product(tx.conn, tenant.cooperative_id, product):
            raise Refused(f"A product with the code {body.code} exists already in {tenant.slug}.")
        tx.append(tenant.cooperative_id, announcements.product_listed(product))
        return product

    with telling_refusals():
        return ProductAnswer.of(await here.ledger.transact(work))


@router.get("", summary="List products by code")
async def list_all(page: Paged, tenant: Tenant, here: Here) -> ProductsAnswer:
    """A page of the cooperative's products."""
    found = await store.list_products(here.pool, tenant.cooperative_id, page.after, page.limit + 1)
    shown, next_after = page.cut(found, lambda product: product.code)
    return ProductsAnswer(products=[ProductAnswer.of(p) for p in shown], next_after=next_after)


@router.get("/{code}", summary="Show a product")
async def show(code: Code, tenant: Tenant, here: Here) -> ProductAnswer:
    """By its code."""
    product = await store.get_product(here.pool, tenant.cooperative_id, code)
    if product is None:
        raise not_found("product")
    return ProductAnswer.of(product)
