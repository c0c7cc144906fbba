region = "eu-west-1"

projects = {
  shop = { retention_days = 30 }
  web  = { retention_days = 7, rules = [{ filter = "{ status = error }", retention_days = 90 }] }
}

# Yours: a release's archive for linux_arm64, and its line in SHA256SUMS.
release = {
  archive = {
    url    = "https://downloads.example.com/spanlake_1.0.0_linux_arm64.tar.gz"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  }
}
