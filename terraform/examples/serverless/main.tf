# Functions, and NATS servers of the module's own. With servers elsewhere nothing costs
# anything while nothing happens: nats = { url = …, monitor_urls = […] }.
module "spanlake" {
  source = "../.."

  profile  = "serverless"
  projects = var.projects
  release  = merge(var.release, { functions_dir = "${path.module}/../../../dist/functions" })
}
