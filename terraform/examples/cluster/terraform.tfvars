region = "eu-west-1"

projects = {
  shop = { retention_days = 30 }
  web  = { retention_days = 7 }
}

# Yours: an image that make image has built, and nats-server for linux-arm64.
release = {
  image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/spanlake:1.0.0"
  nats = {
    url    = "https://downloads.example.com/nats-server-v2.15.2-linux-arm64.tar.gz"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  }
}

domain_name     = "traces.example.com"
certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
zone_id         = "Z0000000000000000000"
