# The orchestrator and the admin: one image, two commands. docker-compose.yml runs both.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    DATA_DIR=/var/lib/memories \
    ORCHESTRATOR_ENDPOINTS=tcp://0.0.0.0:5570

# By number, as docker-compose.yml does. A new volume takes over the owner of its folder.
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/memories memories \
    && install -d -o memories -g memories /var/backups/memories

WORKDIR /app
COPY requirements.txt requirements-traces.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt -r requirements-traces.txt

# WhiteNoise serves the admin's static files out of the packages: there is nothing to collect.
COPY manage.py ./
COPY memoryproject ./memoryproject
COPY memories ./memories
COPY zmqbridge ./zmqbridge
COPY deploy ./deploy

USER 10001
EXPOSE 5570 8000 9570
CMD ["python", "manage.py", "run_orchestrator"]
