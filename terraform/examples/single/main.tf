# Everything in one process on one instance, blocks on S3. It is reached from its VPC;
# access with a certificate makes a load balancer with TLS.
module "spanlake" {
  source = "../.."

  profile  = "single"
  projects = var.projects
  release  = var.release
}
