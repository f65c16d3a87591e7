"""How the web server runs; ``gunicorn backoffice.wsgi`` in this folder finds it by its name."""

from backoffice import environment as env
from backoffice import settings

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else ""
bind = bind or f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
# With threads a long import finishes; a worker without them is killed in the middle of it.
worker_class = "gthread"
loglevel = "warning"
# Its default path is one for all offices of a user.
control_socket_disable = True
# Only a proxy on this machine is believed about the scheme, unless another is named.
forwarded_allow_ips = env.lookup("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
