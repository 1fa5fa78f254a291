from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class TrialsiteConfig(AppConfig):
    name = "trialsite"


class TrialsiteAdminConfig(AdminConfig):
    default_site = "trialsite.admin_site.TrialsiteAdminSite"
