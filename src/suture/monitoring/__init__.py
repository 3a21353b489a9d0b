"""Asking the monitoring that a site has: node_exporter, Prometheus, Alertmanager."""
