"""The settings, and alone in reading the environment. `.env.example` lists every variable.

A value that cannot be right stops the start with one sentence.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cronsim import CronSim, CronSimError
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from memories.chat.options import ChatOptions
from memories.embedders.options import EmbedderOptions, OpenAiOptions
from memories.logs import log_settings
from memories.services.ages import Ages
from memories.services.search.weights import Weights, read_weights
from memoryproject.environment import Environment, kept_secret, read_env_file

BASE_DIR = Path(__file__).resolve().parent.parent


env = Environment()
read_env_file(BASE_DIR / ".env")


def _whole(name: str, default: int, low: int, high: int) -> int:
    return int(_number(name, default, low, high, int))


def _number(
    name: str, default: float, low: float, high: float, read: Callable[[str], float] = float
) -> float:
    """Not by environ's own cast: it drops letters, and reads 1e3 as 13 and 5m as 5."""
    text = env.str(name, default=str(default))
    try:
        value = read(text)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is {text!r}, which is not a number; give one from {low} to {high}."
        ) from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name} is {value}; it must be from {low} to {high}.")
    return value


def _list(name: str, default: str) -> list[str]:
    return [item.strip() for item in env.str(name, default=default).split(",") if item.strip()]


def _flag(name: str, default: bool) -> bool:
    text = env.str(name, default=str(default)).strip().lower()
    if text in {"true", "yes", "on", "1"}:
        return True
    if text in {"false", "no", "off", "0"}:
        return False
    raise ImproperlyConfigured(f"{name} is {text!r}; it must be true or false.")


def _choice(name: str, default: str, choices: set[str]) -> str:
    value = str(env.str(name, default=default))
    if value not in choices:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; choose from {', '.join(sorted(choices))}."
        )
    return value


def _folder(name: str, path: str | Path) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError) as error:  # no such user, or links in a circle
        raise ImproperlyConfigured(f"{name} is {path}, which names no folder: {error}") from None


# Where everything of this installation lies: embedded database, keys, backups.
DATA_DIR = _folder("DATA_DIR", env.str("DATA_DIR", default=str(BASE_DIR / "var")))

# Where secrets come from files, for the doctor
_NAMED_FILES = (f"{name}_FILE" for name in ("DATABASE_URL", "SECRET_KEY", "OPENAI_API_KEY"))
SECRET_FILES = [Path(file) for name in _NAMED_FILES if (file := env.str(name, default=""))]

# The admin
DEBUG = _flag("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret(DATA_DIR / "secret_key")
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _list("CSRF_TRUSTED_ORIGINS", "")
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if _flag("BEHIND_HTTPS_PROXY", False) else None
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_PROXY_SSL_HEADER is not None
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
ROOT_URLCONF = "memoryproject.urls"
WSGI_APPLICATION = "memoryproject.wsgi.application"
STATIC_URL = "static/"

INSTALLED_APPS = [
    "memories",
    "zmqbridge",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "memoryproject.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "memoryproject.middleware.viewers_time_zone",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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
UNFOLD = {
    "SITE_TITLE": "Memories",
    "SITE_HEADER": "Memories",
    "SITE_SUBHEADER": "What the assistants know",
    "SITE_SYMBOL": "neurology",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "href": lambda request: static("memories/icon.svg")}],
    "STYLES": [lambda request: static("memories/admin.css")],
    "SCRIPTS": [lambda request: static("memories/admin.js")],
    "DASHBOARD_CALLBACK": "memories.admin.home.add_figures",
    "SIDEBAR": {"navigation": "memories.admin.navigation.sidebar"},
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
WHITENOISE_USE_FINDERS = True
USE_TZ = True
TIME_ZONE = "UTC"
# The machine's own, which Django replaces by TIME_ZONE: older assistants wrote local times.
MACHINE_TZ = env("TZ", default="")
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "memoryproject.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The database: DATABASE_URL, or the embedded server below DATA_DIR
DATABASE_POOL_SIZE = _whole("DATABASE_POOL_SIZE", 16, 4, 500)
DATABASE_WAIT_SECONDS = _number("DATABASE_WAIT_SECONDS", 30, 0, 3600)

# Its WAL, by which the embedded server is brought back to a point in time
WAL_ARCHIVE = _flag("WAL_ARCHIVE", False)
ARCHIVE_DIR = _folder("ARCHIVE_DIR", env.str("ARCHIVE_DIR", default="") or DATA_DIR / "archive")
ARCHIVE_SECONDS = _whole("ARCHIVE_SECONDS", 60, 1, 86_400)
if WAL_ARCHIVE and env.str("DATABASE_URL", default=""):
    raise ImproperlyConfigured(
        "WAL_ARCHIVE is for the embedded server, and DATABASE_URL names another: set archive_mode "
        "there, as docs/backups.md tells."
    )


def _named_database() -> dict[str, Any]:
    wrong = ImproperlyConfigured(
        "DATABASE_URL must name a PostgreSQL database: postgresql://user:password@host/name."
    )
    if not env.str("DATABASE_URL").startswith(("postgresql://", "postgres://")):
        raise wrong
    try:
        database = dict(env.db_url("DATABASE_URL"))
    except ValueError:
        raise wrong from None
    if database["HOST"].lower().startswith("%2f"):  # the folder of a Unix socket, as libpq reads it
        database["HOST"] = unquote(database["HOST"])
    # A host that vanishes without a word would otherwise hold a worker for many minutes.
    patience = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 30_000}
    database["OPTIONS"] = patience | database.get("OPTIONS", {})
    return database


def _archiving() -> dict[str, Any]:
    return {"archive_dir": ARCHIVE_DIR, "archive_seconds": ARCHIVE_SECONDS} if WAL_ARCHIVE else {}


def _database() -> dict[str, Any]:
    if env.str("DATABASE_URL", default=""):
        database = _named_database()
    else:
        database = {"ENGINE": "memoryproject.postgres", "NAME": "memories"}
        database["OPTIONS"] = {"data_dir": DATA_DIR} | _archiving()
    database["CONN_HEALTH_CHECKS"] = True
    database["OPTIONS"] |= {
        # Prepared statements on the server: the few hot ones are parsed and planned once.
        "server_side_binding": True,
        "prepare_threshold": 3,
        "pool": {"min_size": 0, "max_size": DATABASE_POOL_SIZE, "timeout": 10},
        "application_name": "memories",
    }
    return database


DATABASES = {"default": _database()}

# The orchestrator
ORCHESTRATOR_ENDPOINTS = _list("ORCHESTRATOR_ENDPOINTS", "tcp://127.0.0.1:5570")
MAX_BODY_BYTES = _whole("MAX_BODY_BYTES", 1 << 20, 1 << 10, 16 << 20)
GRACE_SECONDS = _number("GRACE_SECONDS", 10, 0.1, 600)
LANE_CAPACITY = _whole("LANE_CAPACITY", 10_000, 1, 1_000_000)
WRITE_BATCH = _whole("WRITE_BATCH", 256, 1, 2000)
READ_WORKERS = _whole("READ_WORKERS", 2, 1, 64)
SEARCH_WORKERS = _whole("SEARCH_WORKERS", 2, 1, 64)
HEAVY_WORKERS = _whole("HEAVY_WORKERS", 1, 1, 64)
OUTBOX_REPLIES = _whole("OUTBOX_REPLIES", 20_000, 100, 1_000_000)
RECONNECT_SECONDS = _number("RECONNECT_SECONDS", 5, 0, 300)

# The cache of reads by id
CACHE_ENTRIES = _whole("CACHE_ENTRIES", 20_000, 0, 10_000_000)
CACHE_MEGABYTES = _whole("CACHE_MEGABYTES", 64, 1, 100_000)
CACHE_TTL_SECONDS = _number("CACHE_TTL_SECONDS", 300, 0, 604_800)

# What is promised, and what is kept
REQUEST_KEY_DAYS = _number("REQUEST_KEY_DAYS", 7, 0.001, 365)
SEARCH_LANGUAGE = env.str("SEARCH_LANGUAGE", default="english")
BULK_DELETE_ALL_ALLOWED = _flag("BULK_DELETE_ALL_ALLOWED", False)
ACCESS_LOG_FLUSH_SECONDS = _number("ACCESS_LOG_FLUSH_SECONDS", 2, 0.05, 3600)
EXPIRE_SECONDS = _number("EXPIRE_SECONDS", 30, 0.05, 86_400)
AGES = Ages(
    deleted_days=_number("PURGE_GRACE_DAYS", 30, 0, 36_500),
    request_key_days=REQUEST_KEY_DAYS,
    access_log_days=_number("ACCESS_LOG_DAYS", 365, 0, 36_500) or None,
    revision_days=_number("REVISION_DAYS", 0, 0, 36_500) or None,
)


def _schedule(text: str) -> str:
    try:
        if text:
            CronSim(text, datetime.now(UTC))
    except CronSimError as error:
        raise ImproperlyConfigured(
            f"BACKUP_SCHEDULE is {text!r}, which is no schedule of cron ({error}); write it as "
            "MINUTE HOUR DAY MONTH WEEKDAY, such as 15 3 * * *."
        ) from error
    return text


# Backups
BACKUP_DIR = _folder("BACKUP_DIR", env.str("BACKUP_DIR", default="") or DATA_DIR / "backups")
BACKUP_SCHEDULE = _schedule(env.str("BACKUP_SCHEDULE", default="").strip())
BACKUP_KEEP_COUNT = _whole("BACKUP_KEEP_COUNT", 7, 1, 100_000)
BACKUP_KEEP_DAYS = _number("BACKUP_KEEP_DAYS", 0, 0, 36_500)
BACKUP_KEY_FILE = env.str("BACKUP_KEY_FILE", default="")
BACKUP_VERIFY = _flag("BACKUP_VERIFY", False)

# Search by meaning
EMBEDDER = _choice("EMBEDDER", "minilm", {"minilm", "e5", "openai", "given", "hashing", "none"})
EMBED_WAIT_SECONDS = _number("EMBED_WAIT_SECONDS", 1, 0, 60)
QUERY_EMBED_SECONDS = _number("QUERY_EMBED_SECONDS", 2, 0.05, 60)
SEARCH_MEGABYTES = _whole("SEARCH_MEGABYTES", 256, 0, 1_000_000)
EMBEDDING_DIMENSION = _whole("EMBEDDING_DIMENSION", 0, 0, 4000)
EMBEDDER_OPTIONS = EmbedderOptions(
    threads=_whole("EMBEDDER_THREADS", 1, 1, 256),
    dimension=EMBEDDING_DIMENSION or None,
    openai=OpenAiOptions(
        dimension=EMBEDDING_DIMENSION,
        query_prefix=env.str("OPENAI_QUERY_PREFIX", default=""),
        document_prefix=env.str("OPENAI_DOCUMENT_PREFIX", default=""),
        request_timeout_seconds=_number("OPENAI_TIMEOUT_SECONDS", 10, 0.1, 60),
        base_url=env.str("OPENAI_BASE_URL", default=""),
        model=env.str("OPENAI_EMBEDDING_MODEL", default=""),
        api_key=env.str("OPENAI_API_KEY", default=""),
    ),
)


def _summary_model() -> ChatOptions | None:
    """The chat model that writes summaries; None where they are made of the memories' sentences."""
    model = env.str("OPENAI_SUMMARY_MODEL", default="")
    if not model:
        return None
    base_url = env.str("OPENAI_BASE_URL", default="")
    if not base_url.startswith(("http://", "https://")):
        raise ImproperlyConfigured(
            "OPENAI_SUMMARY_MODEL needs an OPENAI_BASE_URL such as https://host/v1, "
            f"not {base_url!r}."
        )
    api_key = env.str("OPENAI_API_KEY", default="")
    if not (api_key.isascii() and api_key.isprintable()):
        raise ImproperlyConfigured("OPENAI_API_KEY holds what no header can carry.")
    return ChatOptions(base_url, model, api_key)


SUMMARY_MODEL = _summary_model()


def _weights() -> Weights:
    try:
        return read_weights(env.str("SEARCH_WEIGHTS", default=""))
    except ValueError as error:
        raise ImproperlyConfigured(f"SEARCH_WEIGHTS {error}.") from None


SEARCH_WEIGHTS = _weights()


def _metrics_bind() -> tuple[str, int] | None:
    """Host and port of the metrics; None where they are not wanted."""
    text = env.str("METRICS_BIND", default="")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ImproperlyConfigured(
            f"METRICS_BIND is {text!r}; give HOST:PORT, as 127.0.0.1:9570, or nothing."
        )
    return host.strip("[]"), int(port)


def _traces_endpoint() -> str:
    """Where spans are sent; "" where they are not wanted."""
    url = str(env.str("TRACES_ENDPOINT", default=""))
    if url and not url.startswith(("http://", "https://")):
        raise ImproperlyConfigured(
            f"TRACES_ENDPOINT is {url!r}; give the URL of an OTLP collector over HTTP, as "
            "http://127.0.0.1:4318, or nothing."
        )
    return url


# What can be seen of it from outside
METRICS_BIND = _metrics_bind()
TRACES_ENDPOINT = _traces_endpoint()
TRACES_SHARE = _number("TRACES_SHARE", 1, 0, 1)
LOG_LEVEL = _choice("LOG_LEVEL", "INFO", {"DEBUG", "INFO", "WARNING", "ERROR"})
LOG_FORMAT = _choice("LOG_FORMAT", "readable", {"readable", "json"})
SLOW_REQUEST_MS = _number("SLOW_REQUEST_MS", 1000, 0, 3_600_000)
LOGGING = log_settings(LOG_LEVEL, LOG_FORMAT)
