"""`GET /hello/` as the tutorial of Django REST framework's tokens has it."""

from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView


class HelloView(APIView):
    def get(self, request):
        return Response({"message": f"Hello, {request.user.username}!"})


urlpatterns = [path("hello/", HelloView.as_view())]
