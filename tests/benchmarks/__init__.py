"""What `manage.py bench` measures, and what it measures it against."""
