"""Settings, read from the environment in this one place. A bad value stops the start and says what is allowed.

| variable | meaning |
|---|---|
| DB_ROLE | owner, app (default), unblinded, auditor: which role of the database this process is |
| DATABASE_URL, REDIS_URL | the servers, with this role's credentials; unset: the embedded ones |
| TRIALSITE_DOOR | open (default) or closed |
| TRIALSITE_VAR | where cuts, reports and the embedded servers live (default: var/ in the checkout) |
| TRIALSITE_CUTS, TRIALSITE_CLOSED | the volumes of blinded cuts and of closed files (default: below TRIALSITE_VAR) |
| TRIALSITE_IDENTITY_KEYS | keys of the identifying data, newest first, comma-separated |
| TRIALSITE_IDENTITY_KEY_FILE | or the file that holds them, one a line |
| TRIALSITE_QST_REFERENCE | the file of QST reference values that z-scores are computed from |
| TRIALSITE_INSTRUMENTS | a folder of further instrument files (docs/instrument-files.md) |
| TRIALSITE_ADDRESS | where the open door is reached, for links in e-mails (default: the first of TRIALSITE_ORIGINS) |
| TRIALSITE_SMTP | smtp://user:password@host:587?from=address, smtps:// for TLS from the start; unset: to the log |
| TRIALSITE_SECRET_KEY, TRIALSITE_HOSTS, TRIALSITE_ORIGINS, TRIALSITE_PRODUCTION, TRIALSITE_DEBUG | as named |
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def _choice(name: str, allowed: tuple[str, ...]) -> str:
    value = os.environ.get(name, allowed[0])
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed: {', '.join(allowed)}.")
    return value


def _flag(name: str) -> bool:
    return _choice(name, ("0", "1")) == "1"


def _list(name: str, default: str) -> list[str]:
    return [part for part in os.environ.get(name, default).split(",") if part]


DB_ROLE = _choice("DB_ROLE", ("app", "owner", "unblinded", "auditor"))
DOOR = _choice("TRIALSITE_DOOR", ("open", "closed"))
PRODUCTION = _flag("TRIALSITE_PRODUCTION")
DEBUG = _flag("TRIALSITE_DEBUG")
VAR_DIR = Path(os.environ.get("TRIALSITE_VAR", BASE_DIR / "var"))
CUTS_DIR = Path(os.environ.get("TRIALSITE_CUTS", VAR_DIR / "cuts"))
CLOSED_DIR = Path(os.environ.get("TRIALSITE_CLOSED", VAR_DIR / "closed"))
IDENTITY_KEY_FILE = Path(os.environ.get("TRIALSITE_IDENTITY_KEY_FILE", VAR_DIR / "keys" / "identity.key"))
QST_REFERENCE = os.environ.get("TRIALSITE_QST_REFERENCE", "")
# Instruments of this site besides those that are shipped.
INSTRUMENTS_DIR = os.environ.get("TRIALSITE_INSTRUMENTS", "")
IDENTITY_KEYS = _list("TRIALSITE_IDENTITY_KEYS", "")


def _secret_key() -> str:
    """From the environment in production; else one random key a checkout, kept under var/."""
    if key := os.environ.get("TRIALSITE_SECRET_KEY"):
        return key
    if PRODUCTION:
        raise ImproperlyConfigured("TRIALSITE_SECRET_KEY must be set in production (50 random characters).")
    # The doors must not share a key: a cookie signed at one would be honoured at the other.
    path = VAR_DIR / "keys" / f"{DOOR}-door.secret"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.write_text(secrets.token_urlsafe(50))
        path.chmod(0o600)
    return path.read_text()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = _list("TRIALSITE_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _list("TRIALSITE_ORIGINS", "")


def _database() -> dict[str, object]:
    from trialsite.services.connection import database_url  # noqa: PLC0415 - the embedded server only when needed

    parts = urlsplit(os.environ.get("DATABASE_URL") or database_url(DB_ROLE))
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "trialsite.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": parts.port or "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": f"trialsite-{DB_ROLE}", **query},
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "studies.apps.StudiesConfig",
    "outcomes.apps.OutcomesConfig",
    "analysis.apps.AnalysisConfig",
    "trialsite.apps.TrialsiteConfig",
    "trialsite.apps.TrialsiteAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "django_celery_beat",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "studies.middleware.PlainTextMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "studies.middleware.ActingMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = f"trialsite.urls_{DOOR}"
WSGI_APPLICATION = "trialsite.wsgi.application"
AUTH_USER_MODEL = "studies.User"
LOGIN_URL = "/login/" if DOOR == "closed" else "/admin/login/"
LOGIN_REDIRECT_URL = "/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "trialsite" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# The closed door has its own accounts and sessions, in the schema that `app` cannot read.
if DOOR == "closed":
    AUTHENTICATION_BACKENDS = ["studies.closed_door.ClosedAccountBackend"]
    SESSION_ENGINE = "studies.closed_sessions"
    SESSION_COOKIE_NAME = "trialsite_closed"
    CSRF_COOKIE_NAME = "trialsite_closed_csrf"
    # Failed sign-ins are counted on the account itself: axes writes to tables that are read-only here.
    MIDDLEWARE.remove("axes.middleware.AxesMiddleware")
    INSTALLED_APPS.remove("axes")
    # What is uploaded here holds drug levels: it is read from memory, and never lies in a folder for temporary files.
    FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
else:
    AUTHENTICATION_BACKENDS = [
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    SESSION_COOKIE_NAME = "trialsite"
    CSRF_COOKIE_NAME = "trialsite_csrf"

AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]

# Where participants and people of the open door reach it; links in e-mails begin so.
DOOR_ADDRESS = (_list("TRIALSITE_ADDRESS", "") or CSRF_TRUSTED_ORIGINS or ["http://localhost:8000"])[0].rstrip("/")


def _smtp() -> SplitResult:
    """The mail server; empty: e-mails are written to the log of whoever sends them."""
    address = urlsplit(os.environ.get("TRIALSITE_SMTP", ""))
    if address.geturl() and (address.scheme not in ("smtp", "smtps") or not address.hostname):
        raise ImproperlyConfigured("TRIALSITE_SMTP must be smtp://user:password@host:587 or smtps://... (TLS).")
    return address


_SMTP = _smtp()
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _SMTP.hostname else 'console'}.EmailBackend"
EMAIL_HOST = _SMTP.hostname or ""
EMAIL_PORT = _SMTP.port or (465 if _SMTP.scheme == "smtps" else 587)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_SMTP.username or ""), unquote(_SMTP.password or "")
EMAIL_USE_SSL = _SMTP.scheme == "smtps"
# A participant's link never travels in the clear, except to a relay on the same machine.
EMAIL_USE_TLS = _SMTP.scheme == "smtp" and _SMTP.hostname not in ("localhost", "127.0.0.1")
DEFAULT_FROM_EMAIL = parse_qs(_SMTP.query).get("from", ["trial@localhost"])[-1]
EMAIL_TIMEOUT = 10

CSRF_FAILURE_VIEW = "trialsite.closed.page.csrf_failure" if DOOR == "closed" else "trialsite.outside.csrf_failure"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["trialsite.formats"]

STATIC_URL = "static/"
# Collected for production only; elsewhere static files are served from where they lie.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
if PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # No pages of its own: they would run scripts that the content-security policy does not.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "COERCE_DECIMAL_TO_STRING": False,
    # Names given twice, and brackets without end, are refused at every address, not where somebody thought of it.
    "DEFAULT_PARSER_CLASSES": [
        "outcomes.api.entry_fields.EachNameOnceParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "studies.problem.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Trialsite",
    "DESCRIPTION": "Clinical-trial data, blinded. Closed results live at another door.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "studies.problem.describe_problems",
    ],
    # Fields of one name with different choices, named for what they are of.
    "ENUM_NAME_OVERRIDES": {
        "Area": "outcomes.models.qst.Area",
        "ValueArea": "outcomes.models.qst.ValueArea",
        "Side": "outcomes.models.qst.Side",
        "DeviceKind": "outcomes.models.Device.Kind",
        "ConditioningKind": "outcomes.models.ConditioningStimulus.Kind",
        "ParticipantStatus": "studies.models.Participant.Status",
        "VisitStatus": "studies.models.Visit.Status",
        "ResponseStatus": "outcomes.models.Response.Status",
        "ResponseSource": "outcomes.models.Response.Source",
        "TakenBy": "outcomes.api.serializers.TAKEN",
        "EventSource": "studies.models.IntercurrentEvent.Source",
        "CutStatus": "analysis.models.DataCut.Status",
        "LookStatus": "analysis.models.Look.Status",
        "JobStatus": "analysis.models.Job.Status",
    },
}


def _redis_url() -> str:
    from trialsite.services.connection import redis_url  # noqa: PLC0415 - the embedded server only when needed

    return os.environ.get("REDIS_URL") or redis_url(DB_ROLE)


REDIS_URL = _redis_url()
# No result back end: the state of a job lives in the database, and nothing computed ever enters Redis.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# A job that hangs ends: first by an exception in it, which it reports, then by the end of its process.
CELERY_TASK_SOFT_TIME_LIMIT = 60 * 60
CELERY_TASK_TIME_LIMIT = CELERY_TASK_SOFT_TIME_LIMIT + 5 * 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "unblinded" if DB_ROLE == "unblinded" else "blinded"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"without_links": {"()": "trialsite.participant_door.logged.WithoutLinks"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without_links"]}},
    "root": {"handlers": ["console"], "level": "WARNING" if "test" in sys.argv else "INFO"},
}
