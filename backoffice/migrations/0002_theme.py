"""The look of a new office. A row, not a setting: what staff change in it survives later deploys."""

from django.db import migrations

NAME = "سامانه"
NAVY, SLATE, WHITE = "#1F3A4D", "#2F5D78", "#FFFFFF"

OFFICE = {
    "active": True,
    "title": "",
    "title_color": WHITE,
    "logo_visible": False,
    "env_visible_in_header": False,
    "env_visible_in_favicon": False,
    "language_chooser_active": False,
    "language_chooser_display": "name",
    "css_header_background_color": NAVY,
    "css_header_text_color": "#DCE7EE",
    "css_header_link_color": WHITE,
    "css_header_link_hover_color": "#BFE0F2",
    "css_module_background_color": SLATE,
    "css_module_background_selected_color": "#E6F0F6",
    "css_module_text_color": WHITE,
    "css_module_link_color": WHITE,
    "css_module_link_selected_color": WHITE,
    "css_module_link_hover_color": "#D6ECF8",
    "css_generic_link_color": "#1B5E87",
    "css_generic_link_hover_color": "#12415E",
    "css_generic_link_active_color": "#12415E",
    "css_save_button_background_color": "#1F6B52",
    "css_save_button_background_hover_color": "#17513E",
    "css_save_button_text_color": WHITE,
    "css_delete_button_background_color": "#B3261E",
    "css_delete_button_background_hover_color": "#8C1D18",
    "css_delete_button_text_color": WHITE,
    "list_filter_dropdown": True,
    "list_filter_sticky": True,
    "foldable_apps": True,
    "form_actions_sticky": True,
    "form_submit_sticky": True,
    "form_pagination_sticky": True,
    "show_fieldsets_as_tabs": False,
    "show_inlines_as_tabs": False,
}


def make_theme(apps, schema_editor):
    theme = apps.get_model("admin_interface", "Theme")
    theme.objects.update(active=False)
    theme.objects.get_or_create(name=NAME, defaults=OFFICE)


def remove_theme(apps, schema_editor):
    apps.get_model("admin_interface", "Theme").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0001_initial"), ("admin_interface", "0032_alter_theme_defaults")]
    operations = [migrations.RunPython(make_theme, remove_theme)]
