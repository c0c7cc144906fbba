variable "name" {
  description = "What the names of all resources begin with."
  type        = string
  default     = "spanlake"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,20}$", var.name))
    error_message = "name: want 1 to 21 of a-z, 0-9 and -, a letter first. Names of load balancers and roles have no room for more."
  }
}

variable "account" {
  description = "Where everything is: partition (aws), region and id of the account."
  type        = object({ partition = string, region = string, id = string })
}

variable "bucket" {
  description = "The bucket: its name, the prefix of all keys (empty, or with a slash at its end), the key that encrypts it if it is not S3's own, and whether it keeps versions."
  type = object({
    name        = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
    versioned   = optional(bool, false)
  })

  validation {
    condition     = var.bucket.prefix == "" || can(regex("^[^/].*/$", var.bucket.prefix))
    error_message = "bucket.prefix: want nothing, or a prefix that ends in a slash and does not begin with one."
  }
}

variable "projects" {
  description = "Projects by name: how long their spans are kept, and what else their settings say (docs/projects.md). retention_days is a number of days; left out it is default_retention_days. unlimited = true keeps spans for ever. prices is a file of prices of models, as text (docs/llm.md)."
  type = map(object({
    retention_days = optional(number)
    unlimited      = optional(bool, false)
    rules = optional(list(object({
      filter         = string
      retention_days = number
    })), [])
    limits = optional(object({
      ingest_bytes_per_second = optional(number)
      ingest_spans_per_second = optional(number)
      live_traces             = optional(number)
      attribute_bytes         = optional(number)
      concurrent_queries      = optional(number)
      query_bytes             = optional(number)
    }), {})
    aliases = optional(list(string), [])
    prices  = optional(string)
  }))

  validation {
    condition     = length(var.projects) <= 990
    error_message = "projects: want 990 at most, have ${length(var.projects)}. A bucket has 1,000 lifecycle rules, and each project takes one."
  }
  validation {
    condition     = alltrue([for name in keys(var.projects) : can(regex(local.project_name, name))])
    error_message = "projects: a name is 1 to 63 of a-z 0-9 . _ - and begins with a letter or digit. Not so: ${join(", ", [for name in keys(var.projects) : name if !can(regex(local.project_name, name))])}. Other spellings are aliases."
  }
  validation {
    condition = alltrue(flatten([for p in values(var.projects) : [
      for days in concat(p.retention_days == null ? [] : [p.retention_days], p.rules[*].retention_days) : days >= 1 && days <= 73000 && floor(days) == days
    ]]))
    error_message = "projects: retention_days is a whole number of days from 1 to 73000. To keep spans for ever say unlimited = true."
  }
  validation {
    condition     = alltrue([for p in values(var.projects) : !(p.unlimited && p.retention_days != null)])
    error_message = "projects: say either retention_days or unlimited."
  }
  # length counts characters, base64 has 4 for each 3 bytes.
  validation {
    condition     = alltrue([for p in values(var.projects) : length(p.rules) <= 10 && alltrue([for r in p.rules : length(replace(base64encode(r.filter), "=", "")) <= 5462])])
    error_message = "projects: want 10 rules at most, each with a filter of 4096 bytes at most."
  }
  validation {
    condition     = alltrue([for p in values(var.projects) : p.prices == null ? true : can(jsondecode(p.prices)[*].model)])
    error_message = "projects: prices is a JSON list of prices, each with its model, such as file(\"prices.json\")."
  }
  validation {
    condition     = alltrue(flatten([for p in values(var.projects) : [for limit in values(p.limits) : limit == null ? true : limit >= -1 && floor(limit) == limit]]))
    error_message = "projects: a limit is a whole number, 0 for the default or -1 for none."
  }
  validation {
    condition = alltrue(flatten([for p in values(var.projects) : [length(p.aliases) <= 100, [
      for alias in p.aliases : can(regex("^[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ]+$", alias)) && length(replace(base64encode(alias), "=", "")) <= 171 && trimspace(alias) == alias && !strcontains(alias, "|") && !can(regex(local.project_name, alias))
    ]]]))
    error_message = "projects: want 100 aliases at most, each of 1 to 128 bytes, printable, without | and blanks at its ends, and none that is itself a project's name."
  }
  validation {
    condition     = length(flatten(values(var.projects)[*].aliases)) == length(distinct(flatten(values(var.projects)[*].aliases)))
    error_message = "projects: an alias that two projects claim means neither."
  }
}

variable "default_retention_days" {
  description = "How many days the spans of projects are kept that set no retention, also of those that are not in the map. null keeps them for ever."
  type        = number
  default     = 30

  validation {
    condition     = var.default_retention_days == null ? true : var.default_retention_days >= 1 && var.default_retention_days <= 73000 && floor(var.default_retention_days) == var.default_retention_days
    error_message = "default_retention_days: want a whole number of days from 1 to 73000, or null for ever."
  }
}

variable "grace_days" {
  description = "How many days after the retention lifecycle rules delete what no compactor has deleted."
  type        = number
  default     = 3

  validation {
    condition     = var.grace_days >= 1 && floor(var.grace_days) == var.grace_days
    error_message = "grace_days: want a whole number of days, 1 or more. S3 counts from when an object was put, and looks about once a day."
  }
}

variable "catch_all_days" {
  description = "After how many days all blocks are deleted, whatever project they are of. null is a day more than the longest project's rule; there is no such rule if anything is kept for ever."
  type        = number
  default     = null

  validation {
    condition     = var.catch_all_days == null ? true : !local.forever && var.catch_all_days > local.longest_days
    error_message = "catch_all_days: want more than ${local.longest_days}, the days of the longest rule, grace included${local.forever ? "; and something is kept for ever, so that there can be none" : ""}."
  }
}

variable "nats" {
  description = "The log: URL of the NATS servers, their monitoring URLs, how many of them hold each partition, whether weaker durability is accepted, and the secret with a credentials file. null with the profile single, which has its own."
  type = object({
    url                    = string
    monitor_urls           = optional(list(string), [])
    replicas               = optional(number, 3)
    partitions             = optional(number)
    max_bytes              = optional(string)
    allow_weak_sync        = optional(bool, false)
    credentials_secret_arn = optional(string)
  })
  default = null
}

variable "functions" {
  description = "The functions: memory in MiB and what else is set in the environment, by name; how often flush and compact run; from how many parts on query invokes itself for the parts of a query, 0 for never; and whether its answers are streamed, to a Function URL."
  type = object({
    memory      = optional(map(number), {})
    environment = optional(map(map(string)), {})
    schedules   = optional(map(string), {})
    fan_out     = optional(number, 4)
    streamed    = optional(bool, false)
  })
  default = {}

  validation {
    condition     = alltrue([for name in concat(keys(var.functions.memory), keys(var.functions.environment)) : contains(["ingest", "flush", "compact", "query"], name)])
    error_message = "functions: there are ingest, flush, compact and query."
  }
  validation {
    condition     = var.functions.fan_out == 0 || var.functions.fan_out >= 2 && floor(var.functions.fan_out) == var.functions.fan_out
    error_message = "functions.fan_out: want 0, or 2 and more: a query of one part is not divided."
  }
  validation {
    condition     = alltrue([for name in keys(var.functions.schedules) : contains(["flush", "compact"], name)])
    error_message = "functions.schedules: flush and compact are scheduled."
  }
  validation {
    condition     = alltrue([for s in values(var.functions.schedules) : can(regex("^rate\\((1 (minute|hour|day)|[1-9][0-9]* (minutes|hours|days))\\)$", s)) || can(regex("^cron\\([^ ]+( [^ ]+){5}\\)$", s))])
    error_message = "functions.schedules: want rate(5 minutes) or cron(…) with six fields."
  }
}

variable "archive_arn" {
  description = "ARN of the release's archive, if it lies on S3: the single instance may read it."
  type        = string
  default     = null
}

variable "options" {
  description = "Further keys of docs/configuration.md for the services, as they are written in flags, such as { \"querier.timeout\" = \"1m\" }."
  type        = map(string)
  default     = {}
}
