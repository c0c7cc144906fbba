region = "eu-west-1"

projects = {
  shop = { retention_days = 30 }
  web  = { retention_days = 7, limits = { ingest_spans_per_second = 10000 } }
}

# Yours: nats-server for linux-arm64, and the line of its SHA256SUMS. The zips are
# made by make functions.
release = {
  nats = {
    url    = "https://downloads.example.com/nats-server-v2.15.2-linux-arm64.tar.gz"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  }
}
