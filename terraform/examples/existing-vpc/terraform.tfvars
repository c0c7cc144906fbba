region = "eu-west-1"

projects = {
  shop = { retention_days = 30 }
  web  = { unlimited = true }
}

# Yours. The zips are made by make functions.
release = {}

bucket                      = "example-traces"
nats_credentials_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:nats-credentials-AbCdEf"
vpc = {
  vpc_id          = "vpc-00000000000000000"
  route_table_ids = ["rtb-00000000000000000"]
  subnets = {
    a = { id = "subnet-0000000000000000a", zone = "eu-west-1a" }
    b = { id = "subnet-0000000000000000b", zone = "eu-west-1b" }
    c = { id = "subnet-0000000000000000c", zone = "eu-west-1c" }
  }
}
principals = ["arn:aws:iam::123456789012:role/grafana"]
