"""The demo warehouse: a dealer in technical supplies, as files that go in as staff bring them."""

from pathlib import Path

from django.db import transaction

from backoffice.import_files import CSV, XLSX
from inventory import models, resources
from inventory.document_resources import RESOURCES

FOLDER = Path(__file__).parent / "demo"
# In this order, as each names rows of those before it.
FILES = (
    ("unit.csv", resources.UnitResource),
    ("item_category.csv", resources.ItemCategoryResource),
    ("item.xlsx", resources.ItemResource),
    ("item_unit.csv", resources.ItemUnitResource),
    ("warehouse.csv", resources.WarehouseResource),
    ("org_unit.csv", resources.OrgUnitResource),
    ("party.csv", resources.PartyResource),
    ("fiscal_year.csv", resources.FiscalYearResource),
    ("receipt_temporary.xlsx", RESOURCES[models.ReceiptTemporary]),
    ("receipt_permanent.xlsx", RESOURCES[models.ReceiptPermanent]),
    ("receipt_consignment.xlsx", RESOURCES[models.ReceiptConsignment]),
    ("issue_permanent.xlsx", RESOURCES[models.IssuePermanent]),
    ("issue_consumption.xlsx", RESOURCES[models.IssueConsumption]),
    ("issue_consignment.xlsx", RESOURCES[models.IssueConsignment]),
    ("stocktaking_record.xlsx", RESOURCES[models.StocktakingRecord]),
    ("stocktaking_deficit.xlsx", RESOURCES[models.StocktakingDeficit]),
    ("stocktaking_surplus.xlsx", RESOURCES[models.StocktakingSurplus]),
)


class NotEmpty(Exception):
    """The database has items of its own: demo data never goes among real ones."""


class Refused(Exception):
    """A file of the demo was refused; the text is what staff would read."""


def load():
    """Import all files or none; return the rows of each file as [(name, rows)]."""
    with transaction.atomic():
        if models.Item.objects.exists():
            raise NotEmpty("The database has items already; demo data is for an empty one.")
        return [(name, _bring(name, resource)) for name, resource in FILES]


def _bring(name, resource_class):
    file_format = CSV if name.endswith(".csv") else XLSX
    dataset = file_format().create_dataset((FOLDER / name).read_bytes())
    result = resource_class().import_data(dataset)
    told = [text for row in result.invalid_rows for text in row.error.messages]
    told += [str(error.error) for error in result.base_errors]
    if told:
        raise Refused(f"{name}: {told[0]}")
    return len(result.rows)
