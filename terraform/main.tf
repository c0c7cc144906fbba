# spanlake on AWS. What is decided is decided in modules/plan, which needs no account;
# the other modules make it.

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  account = {
    partition = data.aws_partition.this.partition
    region    = data.aws_region.this.region
    id        = data.aws_caller_identity.this.account_id
  }
  bucket_name = coalesce(var.bucket.name, "${var.name}-${local.account.id}-${local.account.region}")

  single     = toset([for p in [var.profile] : p if p == "single"])
  serverless = toset([for p in [var.profile] : p if p == "serverless"])
  cluster    = toset([for p in [var.profile] : p if p == "cluster"])

  own_nats = toset([for p in [var.profile] : p if p != "single" && var.nats.url == null])
  # Functions need no network, unless the log is in one.
  networked = toset([for p in [var.profile] : p if p != "serverless" || var.nats.url == null || var.nats.private])
  network   = one(values(module.network))

  # In a VPC without a NAT gateway the services of AWS are reached by endpoints, which
  # cost by the hour: what does without them is not given them.
  in_network = length(local.serverless) > 0 && length(local.networked) > 0
  fan_out    = var.functions.fan_out != null ? var.functions.fan_out : local.in_network ? 0 : 4
  endpoints_needed = toset([for service, needed in {
    lambda         = local.fan_out > 0
    secretsmanager = var.nats.credentials_secret_arn != null
  } : service if needed && local.in_network && var.network.existing == null])

  nats = var.profile == "single" ? null : {
    url                    = var.nats.url != null ? var.nats.url : one(values(module.nats)[*].url)
    monitor_urls           = var.nats.url != null ? var.nats.monitor_urls : one(values(module.nats)[*].monitor_urls)
    replicas               = var.nats.replicas
    partitions             = var.nats.partitions
    max_bytes              = var.nats.max_bytes
    allow_weak_sync        = var.nats.allow_weak_sync
    credentials_secret_arn = var.nats.credentials_secret_arn
  }

  roles = { for role, name in module.plan.role_names : role => { name = name, trust = module.plan.trust[role], policy = module.plan.policies[role] } }
}

module "plan" {
  source = "./modules/plan"

  name                   = var.name
  account                = local.account
  bucket                 = { name = local.bucket_name, prefix = var.bucket.prefix, kms_key_arn = var.bucket.kms_key_arn, versioned = var.bucket.versioned }
  projects               = var.projects
  default_retention_days = var.default_retention_days
  grace_days             = var.grace_days
  catch_all_days         = var.catch_all_days
  nats                   = local.nats
  functions = {
    memory      = var.functions.memory
    environment = var.functions.environment
    schedules   = var.functions.schedules
    fan_out     = local.fan_out
    streamed    = lookup(var.functions.endpoints, "query", "http_api") == "function_url"
  }
  archive_arn = try("arn:${local.account.partition}:s3:::${trimprefix(regex("^s3://.*", var.release.archive.url), "s3://")}", null)
  options     = var.options
}

module "bucket" {
  source = "./modules/bucket"

  name            = local.bucket_name
  create          = var.bucket.create
  force_destroy   = var.bucket.force_destroy
  kms_key_arn     = var.bucket.kms_key_arn
  policy          = module.plan.bucket_policy
  lifecycle_rules = var.bucket.lifecycle ? module.plan.lifecycle_rules : null
  settings        = module.plan.settings
  tags            = var.tags
}

module "network" {
  source   = "./modules/network"
  for_each = local.networked

  name                = var.name
  region              = local.account.region
  cidr                = var.network.cidr
  existing            = var.network.existing
  zones               = each.key == "single" && var.access.certificate_arn == null ? 1 : each.key == "single" ? 2 : 3
  interface_endpoints = var.network.interface_endpoints != null ? var.network.interface_endpoints : local.endpoints_needed
  balancer = each.key == "serverless" || (each.key == "single" && var.access.certificate_arn == null) ? null : {
    certificate_arn = var.access.certificate_arn
    internal        = var.access.internal
    allowed_cidrs   = coalesce(var.access.allowed_cidrs, var.access.certificate_arn != null ? ["0.0.0.0/0"] : [var.network.cidr])
    target_type     = each.key == "single" ? "instance" : "ip"
  }
  tags = var.tags
}

module "nats" {
  source   = "./modules/nats"
  for_each = local.own_nats

  name                      = var.name
  partition                 = local.account.partition
  region                    = local.account.region
  account_id                = local.account.id
  vpc_id                    = local.network.vpc_id
  subnets                   = local.network.subnets
  public                    = local.network.public
  clients_security_group_id = local.network.clients_security_group_id
  instance_type             = var.nats.instance_type
  architecture              = var.architecture
  volume                    = var.nats.volume
  archive                   = var.release.nats
  final_snapshot            = var.final_snapshots
  tags                      = var.tags
}

module "functions" {
  source   = "./modules/functions"
  for_each = local.serverless

  name                 = var.name
  partition            = local.account.partition
  functions            = module.plan.functions
  routes               = module.plan.routes
  schedules            = module.plan.schedules
  roles                = { for role, r in local.roles : role => r if contains(concat(keys(module.plan.functions), [for f in keys(module.plan.schedules) : "schedule-${f}"]), role) }
  packages             = local.packages
  architecture         = var.architecture
  endpoints            = merge({ ingest = "http_api", query = "http_api" }, var.functions.endpoints)
  principals           = var.functions.principals
  reserved_concurrency = var.functions.reserved_concurrency
  throttle             = var.functions.throttle
  network = length(local.networked) == 0 ? null : {
    subnet_ids         = values(local.network.subnets)[*].id
    security_group_ids = [local.network.clients_security_group_id]
  }
  log_retention_days = var.log_retention_days
  tags               = var.tags

  depends_on = [module.bucket]
}

module "services" {
  source   = "./modules/services"
  for_each = local.cluster

  name         = var.name
  region       = local.account.region
  image        = var.release.image
  architecture = var.architecture
  arguments    = module.plan.arguments
  sizes = merge({
    ingester  = { cpu = 1024, memory = 2048, min = 2, max = 6 }
    querier   = { cpu = 1024, memory = 2048, min = 2, max = 6 }
    compactor = { cpu = 512, memory = 1024, min = 1, max = 1 }
  }, var.services)
  roles              = { for role, r in local.roles : role => r if contains(concat(keys(module.plan.arguments), ["execution"]), role) }
  subnet_ids         = values(local.network.subnets)[*].id
  security_group_ids = [local.network.clients_security_group_id, local.network.targets_security_group_id]
  public             = local.network.public
  target_group_arns  = local.network.target_group_arns
  log_retention_days = var.log_retention_days
  tags               = var.tags

  depends_on = [module.bucket]
}

module "single" {
  source   = "./modules/single"
  for_each = local.single

  name               = var.name
  account            = local.account
  vpc_id             = local.network.vpc_id
  subnet             = local.network.subnets[sort(keys(local.network.subnets))[0]]
  public             = local.network.public
  security_group_ids = [local.network.targets_security_group_id]
  allowed_cidrs      = var.access.certificate_arn == null ? coalesce(var.access.allowed_cidrs, [var.network.cidr]) : []
  instance_type      = var.single.instance_type
  architecture       = var.architecture
  volume             = var.single.volume
  final_snapshot     = var.final_snapshots
  archive            = var.release.archive
  arguments          = module.plan.single_arguments
  memory_limit       = var.single.memory_limit
  role               = local.roles["single"]
  target_group_arns  = local.network.target_group_arns
  tags               = var.tags

  depends_on = [module.bucket]
}

resource "aws_route53_record" "this" {
  for_each = toset(var.access.zone_id == null ? [] : ["A"])

  zone_id = var.access.zone_id
  name    = var.access.domain_name
  type    = each.key
  alias {
    name                   = local.network.balancer_dns_name
    zone_id                = local.network.balancer_zone_id
    evaluate_target_health = false
  }
}
