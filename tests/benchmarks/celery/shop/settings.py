"""Everything as it comes; the database set as the office's is."""

from backoffice.environment import VAR_DIR, database

DATABASES = {"default": database("DATABASE_URL", VAR_DIR / "shop.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["shop"]
SECRET_KEY = "of no use here"
USE_TZ = True
