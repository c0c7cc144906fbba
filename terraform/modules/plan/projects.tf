# What the projects of the map come to: their objects in the bucket, and the
# bucket's lifecycle rules. Both follow what the server itself does: settings as
# internal/project reads them, rules as compactor/lifecycle_rules.go writes them.

locals {
  project_name = "^[a-z0-9][a-z0-9._-]{0,62}$" # schema.ParseProjectID

  # Days that a project's spans are kept at most, null for ever.
  kept_days = { for name, p in var.projects : name => p.unlimited ? null : (
    p.retention_days == null && var.default_retention_days == null ? null :
    max(concat([coalesce(p.retention_days, var.default_retention_days, 1)], p.rules[*].retention_days)...)
  ) }

  rule_days    = { for name, days in local.kept_days : name => days + var.grace_days if days != null }
  forever      = var.default_retention_days == null || length(local.rule_days) < length(var.projects)
  longest_days = max(concat([coalesce(var.default_retention_days, 1) + var.grace_days], values(local.rule_days))...)

  # S3 refuses two rules of one id; a project's name is unique and has no character
  # that an id may not have.
  project_rules = [for name, days in local.rule_days : {
    id = "${var.name}-project-${name}", prefix = "${var.bucket.prefix}blocks/${name}/", expire_days = days, abort_days = null, noncurrent_days = null
  }]

  # Media go like blocks, in the room that these leave of the 990 rules.
  media_rules = [for name in slice(keys(local.rule_days), 0, min(length(local.rule_days), 990 - length(local.rule_days))) : {
    id = "${var.name}-media-${name}", prefix = "${var.bucket.prefix}media/${name}/", expire_days = local.rule_days[name], abort_days = null, noncurrent_days = null
  }]

  # Versions that were replaced or deleted are what somebody wanted gone. A bucket
  # without versions has none, and the rule does nothing.
  common_rules = concat([
    { id = "${var.name}-uploads", prefix = "${var.bucket.prefix}blocks/", expire_days = null, abort_days = 1, noncurrent_days = 1 },
    { id = "${var.name}-claims", prefix = "${var.bucket.prefix}claims/", expire_days = 14, abort_days = 1, noncurrent_days = 1 },
    {
      id          = "${var.name}-media", prefix = "${var.bucket.prefix}media/", abort_days = 1, noncurrent_days = 1,
      expire_days = local.forever ? null : coalesce(var.catch_all_days, local.longest_days + 1)
    },
    ], [
    for days in [coalesce(var.catch_all_days, local.longest_days + 1)] :
    { id = "${var.name}-all", prefix = "${var.bucket.prefix}blocks/", expire_days = days, abort_days = null, noncurrent_days = null } if !local.forever
    ], [
    for folder in ["erasures", "projects", "undecodable"] :
    { id = "${var.name}-${folder}", prefix = "${var.bucket.prefix}${folder}/", expire_days = null, abort_days = 1, noncurrent_days = 1 } if var.bucket.versioned
  ])

  settings = { for name, p in var.projects : name => {
    for key, value in {
      managed_by = "terraform"
      retention  = p.unlimited ? "unlimited" : p.retention_days == null ? null : "${p.retention_days}d"
      rules      = length(p.rules) == 0 ? null : [for r in p.rules : { filter = r.filter, retention = "${r.retention_days}d" }]
      limits     = length([for limit in values(p.limits) : limit if limit != null]) == 0 ? null : { for limit, value in p.limits : limit => value if value != null }
      prices     = p.prices == null ? null : jsondecode(p.prices)
      aliases    = length(p.aliases) == 0 ? null : p.aliases
    } : key => value if value != null
  } }
}
