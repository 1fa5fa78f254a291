# One image for every process of the site; compose gives each its role, its door and its credentials.
FROM python:3.13.9-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt /build/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-deps --require-hashes --only-binary :all: -r /build/requirements.txt

FROM python:3.13.9-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trial \
    && install -d -o trial -g trial -m 0700 /srv/trial /srv/trial/var /srv/trial/cuts /srv/trial/closed
COPY --from=build /opt/venv /opt/venv
WORKDIR /site
COPY manage.py pyproject.toml LICENSE ./
COPY trialsite trialsite
COPY studies studies
COPY outcomes outcomes
COPY analysis analysis
ENV OPENBLAS_NUM_THREADS=1 \
    TRIALSITE_PRODUCTION=1 \
    TRIALSITE_VAR=/srv/trial/var \
    TRIALSITE_CUTS=/srv/trial/cuts \
    TRIALSITE_CLOSED=/srv/trial/closed
# Static files need settings and no server; the key lives for this one command.
RUN TRIALSITE_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(50))') \
    DATABASE_URL=postgresql://nobody@localhost/none REDIS_URL=redis://localhost \
    python manage.py collectstatic --no-input --verbosity 0
USER trial
EXPOSE 8000
CMD ["gunicorn", "trialsite.wsgi", "--bind=0.0.0.0:8000", "--workers=2", "--threads=4", "--preload", \
     "--worker-tmp-dir=/dev/shm", "--access-logfile=-", "--logger-class=trialsite.services.access_log.AccessLog", "--no-control-socket"]
