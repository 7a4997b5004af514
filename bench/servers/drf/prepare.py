"""Creates the tables, and a user with a token for each line of standard input: `username secret`."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

call_command("migrate", verbosity=0)
for line in sys.stdin:
    username, secret = line.split()
    Token.objects.create(user=User.objects.create(username=username), key=secret)
