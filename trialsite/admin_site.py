"""The admin site of the open door."""

from django.contrib.admin import AdminSite


class TrialsiteAdminSite(AdminSite):
    site_header = "Trialsite"
    site_title = "Trialsite"
    index_title = "Today"
    enable_nav_sidebar = False
