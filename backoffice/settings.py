"""Settings of the office, for every place it runs in; what differs comes from the environment."""

from django.utils.translation import gettext_lazy as _

from backoffice import environment as env

BASE_DIR = env.BASE_DIR
VAR_DIR = env.VAR_DIR

# Where it runs
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY")
ENCRYPTION_KEYS = env.secret("ENCRYPTION_KEYS").split(",")
METRICS_TOKEN = env.secret("METRICS_TOKEN")
ACCEPT_LOST_KEYS = env.flag("ACCEPT_LOST_KEYS", False)
HOST = env.lookup("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, low=1, high=65535)
WEB_WORKERS = env.number("WEB_WORKERS", 2, low=1, high=64)
WEB_THREADS = env.number("WEB_THREADS", 4, low=1, high=64)
BASE_URL = env.base_url("BASE_URL", f"http://127.0.0.1:{PORT}")
HTTPS = BASE_URL.startswith("https://")
BASE_HOST = BASE_URL.split("//")[1].rsplit(":", 1)[0]
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", f"{BASE_HOST},127.0.0.1,localhost")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CSRF_FAILURE_VIEW = "backoffice.json_api.csrf_failure"
DATABASES = {"default": env.database("DATABASE_URL", VAR_DIR / "office.sqlite3")}

# What it is made of
INSTALLED_APPS = [
    # First, so that its admin module sets the Persian widgets before any other registers.
    "backoffice.apps.BackofficeConfig",
    "inventory",
    "reservations",
    "orders",
    "admin_interface",
    "colorfield",
    "backoffice.apps.OfficeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "backoffice.apps.SignInGuardConfig",
    "import_export",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backoffice.middleware.content_security_policy",
    "backoffice.middleware.Sessions",
    "backoffice.middleware.chosen_language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "backoffice.middleware.PersianTyping",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "backoffice.urls"
WSGI_APPLICATION = "backoffice.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["backoffice.templatetags.persian"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS = [
    "security.W019"  # related objects open in a frame of the same site; so says the CSP too
]

# Persian first
LANGUAGE_CODE = "fa"
LANGUAGES = [("fa", _("Persian")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale_packages"]
FORMAT_MODULE_PATH = ["backoffice.formats"]
TIME_ZONE = "Asia/Tehran"
USE_THOUSAND_SEPARATOR = True

# Who may come in
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # an office shares one address
AXES_FAILURE_LIMIT = env.number("LOGIN_FAILURES", 5, low=1, high=100)
AXES_COOLOFF_TIME = env.number("LOGIN_COOLOFF_HOURS", 0.25, low=0.001, high=24, kind=float)
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_CLIENT_IP_CALLABLE = "backoffice.addresses.client_address"
PROXIES = env.number("PROXIES", 0, low=0, high=5)
SESSION_COOKIE_AGE = env.number("SESSION_HOURS", 12, low=1, high=720) * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$"]
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "SAMEORIGIN"

# Files
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
CACHES = {
    # Processes of one host share it; a cache in memory would hide the cluster's statistics.
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "cache",
    }
}

# Background work
Q_CLUSTER = {
    "name": "DjangoORM",
    "label": _("Task queue"),
    "orm": "default",
    "broker_class": "backoffice.broker.DatabaseBroker",
    "workers": env.number("CLUSTER_WORKERS", 4, low=1, high=32),
    "timeout": 90,
    "retry": 400,  # (ceil((queue_limit + bulk) / workers) + 1) x timeout = 360: backoffice.checks
    "queue_limit": 8,
    "bulk": 4,
    "poll": 0.2,
    "max_attempts": 1,
    "catch_up": False,
    "save_limit": -1,
    "recycle": 500,
    "max_rss": 250_000,
    "ALT_CLUSTERS": {
        "dispatch": {  # what it does not say is as above
            "workers": env.number("CLUSTER_DISPATCH_WORKERS", 2, low=1, high=32),
            "queue_limit": 2,
            "bulk": 1,
            "poll": 0.1,
        }
    },
}

# Claims: how long they live
EDIT_LOCK_TIMEOUT_MINUTES = env.number(
    "EDIT_LOCK_TIMEOUT_MINUTES", 5, low=0.02, high=1440, kind=float
)
EDIT_LOCK_BEAT_SECONDS = env.number("EDIT_LOCK_BEAT_SECONDS", 20, low=0.2, high=60, kind=float)
# Of a page in the background that has unsaved changes; browsers slow its timers to one a minute.
EDIT_LOCK_HIDDEN_BEAT_SECONDS = env.number(
    "EDIT_LOCK_HIDDEN_BEAT_SECONDS", 60, low=0.2, high=600, kind=float
)
EDIT_LOCK_MAXIMUM_HOURS = env.number("EDIT_LOCK_MAXIMUM_HOURS", 2, low=0.001, high=240, kind=float)
EDIT_LOCK_IDLE_MINUTES = env.number("EDIT_LOCK_IDLE_MINUTES", 10, low=0.01, high=1440, kind=float)
SEAT_HOLD_SECONDS = env.number("SEAT_HOLD_SECONDS", 300, low=1, high=86400)
SEAT_HOLD_MAXIMUM_SECONDS = env.number("SEAT_HOLD_MAXIMUM_SECONDS", 1200, low=1, high=86400)
SEAT_HOLDS_PER_USER = env.number("SEAT_HOLDS_PER_USER", 50, low=1, high=10_000)

# Orders: when the provider is asked
ORDER_FIRST_CHECK_SECONDS = env.number(
    "ORDER_FIRST_CHECK_SECONDS", 60, low=0, high=3600, kind=float
)
ORDER_CHECK_DELAYS = env.numbers("ORDER_CHECK_DELAYS", "30,60,120,240,480,600")
# How much shorter a pause may be by chance, so that what came together is not asked together.
ORDER_CHECK_JITTER = env.number("ORDER_CHECK_JITTER", 0.2, low=0, high=1, kind=float)
ORDER_QUICK_TRIES = env.number("ORDER_QUICK_TRIES", 20, low=1, high=1000)
ORDER_SLOW_CHECK_SECONDS = env.number("ORDER_SLOW_CHECK_SECONDS", 1800, low=1, high=86400)
ORDER_DEADLINE_HOURS = env.number("ORDER_DEADLINE_HOURS", 24, low=0.001, high=720, kind=float)
# An order that failed by time is asked about so often and so long after it was sent.
ORDER_LATE_LOOK_HOURS = env.number("ORDER_LATE_LOOK_HOURS", 6, low=0.001, high=720, kind=float)
ORDER_LATE_LOOKS_END_HOURS = env.number("ORDER_LATE_LOOKS_END_HOURS", 96, low=0, high=2160)
ORDER_CHECK_LANES = env.number("ORDER_CHECK_LANES", 3, low=1, high=32)
ORDER_CLAIM_SECONDS = env.number("ORDER_CLAIM_SECONDS", 90, low=1, high=3600)
PROVIDER_BREAKER_FAILURES = env.number("PROVIDER_BREAKER_FAILURES", 5, low=1, high=1000)
PROVIDER_BREAKER_SECONDS = env.numbers("PROVIDER_BREAKER_SECONDS", "30,60,120,300,600")
PROVIDER_CONNECT_SECONDS = env.number("PROVIDER_CONNECT_SECONDS", 5, low=0.1, high=60, kind=float)
PROVIDER_READ_SECONDS = env.number("PROVIDER_READ_SECONDS", 20, low=0.1, high=60, kind=float)
ORDER_API_CALLS_A_MINUTE = env.number("ORDER_API_CALLS_A_MINUTE", 600, low=1, high=1_000_000)
DEMO = env.flag("DEMO", None)  # into a new database only; None: where that is SQLite
SIMULATOR = env.flag("SIMULATOR", False)  # remembered where the demo office was set up
PROVIDER_PRIVATE_ADDRESSES = env.flag("PROVIDER_PRIVATE_ADDRESSES", SIMULATOR)
SIMULATOR_PORT = env.number("SIMULATOR_PORT", 8700, low=1, high=65535)
SIMULATOR_FINISH_SECONDS = env.number("SIMULATOR_FINISH_SECONDS", 20, low=0, high=86400, kind=float)

# Files that people bring
IMPORT_MAXIMUM_BYTES = env.number("IMPORT_MAXIMUM_BYTES", 5_000_000, low=1000, high=500_000_000)
IMPORT_MAXIMUM_ROWS = env.number("IMPORT_MAXIMUM_ROWS", 2000, low=1, high=1_000_000)
IMPORT_EXPORT_TMP_STORAGE_CLASS = "backoffice.import_storage.DatabaseStorage"
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a document of a thousand lines

DEFAULT_EXCEPTION_REPORTER_FILTER = "backoffice.faults.NothingAtHand"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.lookup("LOG_LEVEL", "INFO")},
    "loggers": {
        "urllib3": {"level": "INFO"},  # its DEBUG lines hold whole addresses
        "django.template": {"level": "INFO"},  # its DEBUG lines hold all that a page knows
        "axes": {"level": "WARNING"},  # each login is in its own table
        "fontTools": {"level": "WARNING"},  # else fifty lines for each ticket
        "django-q": {"level": "WARNING"},  # else two lines for each task, and more at each start
    },
}
