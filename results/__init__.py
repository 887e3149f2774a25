"""What scans have written, shown: hubs and sessions for genome browsers, reports, plots."""
