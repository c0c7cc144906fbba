# Three NATS servers in three zones, ingesters, queriers and a compactor on Fargate,
# and a load balancer with TLS.
module "spanlake" {
  source = "../.."

  profile  = "cluster"
  projects = var.projects
  release  = var.release

  access = {
    certificate_arn = var.certificate_arn
    domain_name     = var.domain_name
    zone_id         = var.zone_id
  }
  services = {
    ingester = { cpu = 2048, memory = 4096, min = 2, max = 8 }
  }
}
