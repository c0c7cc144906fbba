variable "projects" {
  description = "Projects by name: retention_days (left out it is default_retention_days) or unlimited = true, and rules, limits and aliases as docs/projects.md says; prices is a file of prices of models as text (docs/llm.md): file(\"prices.json\")."
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
}

variable "release" {
  description = "Where spanlake is, for the processor that architecture names. single: archive, an https:// or s3:// URL of a release's .tar.gz and its SHA-256. cluster: image. serverless: functions_dir with the zips of make functions, or functions_s3 with the bucket, the prefix and the version that they have there. nats: URL and SHA-256 of the .tar.gz of nats-server, for servers of the module's own."
  type = object({
    archive       = optional(object({ url = string, sha256 = string }))
    image         = optional(string)
    functions_dir = optional(string)
    functions_s3  = optional(object({ bucket = string, prefix = optional(string, ""), version = string }))
    nats          = optional(object({ url = string, sha256 = string }))
  })

  validation {
    condition     = var.profile != "single" || var.release.archive != null
    error_message = "release.archive is needed with profile = \"single\"."
  }
  validation {
    condition     = var.profile != "cluster" || var.release.image != null
    error_message = "release.image is needed with profile = \"cluster\"."
  }
  validation {
    condition     = var.profile != "serverless" || (var.release.functions_dir == null) != (var.release.functions_s3 == null)
    error_message = "release.functions_dir or release.functions_s3 is needed with profile = \"serverless\", one of them."
  }
  validation {
    condition     = var.profile == "single" || var.nats.url != null || var.release.nats != null
    error_message = "release.nats is needed, for servers of the module's own, or nats.url for servers that there are."
  }
}

variable "profile" {
  description = "What runs: single (one instance with everything in one process), serverless (functions) or cluster (NATS servers, and tasks on Fargate)."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "serverless", "cluster"], var.profile)
    error_message = "profile: want single, serverless or cluster."
  }
}

variable "name" {
  description = "What the names of all resources begin with."
  type        = string
  default     = "spanlake"
}

variable "architecture" {
  description = "Processor of functions, tasks and instances: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: want arm64 or x86_64."
  }
}

variable "default_retention_days" {
  description = "How many days the spans of projects are kept that set no retention, also of those that are not in the map. null keeps them for ever."
  type        = number
  default     = 30
}

variable "grace_days" {
  description = "How many days after the retention lifecycle rules delete what no compactor has deleted."
  type        = number
  default     = 3
}

variable "catch_all_days" {
  description = "After how many days all blocks are deleted, whatever project they are of. null is a day more than the longest rule."
  type        = number
  default     = null
}

variable "bucket" {
  description = "The bucket. name: null is <name>-<account>-<region>. create = false takes one that is there, prefix a part of one, versioned says that it keeps versions. lifecycle = false leaves its lifecycle rules alone; otherwise they are replaced, all of them. force_destroy deletes all spans with the bucket."
  type = object({
    name          = optional(string)
    create        = optional(bool, true)
    prefix        = optional(string, "")
    kms_key_arn   = optional(string)
    versioned     = optional(bool, false)
    lifecycle     = optional(bool, true)
    force_destroy = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.bucket.create || var.bucket.name != null
    error_message = "bucket.name is needed with bucket.create = false."
  }
}

variable "nats" {
  description = "The log of serverless and cluster. url and monitor_urls: servers that there are; private says that they are in the VPC of network. Without url the module runs servers of its own: instance_type and volume. credentials_secret_arn: secret with a credentials file. allow_weak_sync accepts servers that do not sync every write."
  type = object({
    url                    = optional(string)
    monitor_urls           = optional(list(string), [])
    private                = optional(bool, false)
    replicas               = optional(number, 3)
    partitions             = optional(number)
    max_bytes              = optional(string)
    allow_weak_sync        = optional(bool, false)
    credentials_secret_arn = optional(string)
    instance_type          = optional(string, "t4g.small")
    volume                 = optional(object({ size = number, iops = number, throughput = number }), { size = 20, iops = 3000, throughput = 125 })
  })
  default = {}

  validation {
    condition     = var.nats.url == null || var.nats.allow_weak_sync || length(var.nats.monitor_urls) > 0
    error_message = "nats.monitor_urls is needed with nats.url: it is where spanlake reads whether servers sync every write. Without, say nats.allow_weak_sync = true, and acknowledged spans may be lost when machines lose power."
  }
  validation {
    condition     = var.nats.url != null || var.nats.credentials_secret_arn == null
    error_message = "nats.credentials_secret_arn is for servers that there are: the module's own let in what has their security group."
  }
}

variable "network" {
  description = "The VPC. cidr: addresses of one that is made. existing: one that is there, with subnets in different zones by any name, and their cidr if the module's servers are to be in them; its route_table_ids get an endpoint of S3; public = false if its subnets have another way to the internet than public addresses. interface_endpoints: AWS services that functions call from within; null is those that they need, in a VPC that is made."
  type = object({
    cidr = optional(string, "10.61.0.0/20")
    existing = optional(object({
      vpc_id          = string
      subnets         = map(object({ id = string, zone = string, cidr = optional(string) }))
      route_table_ids = optional(list(string), [])
      public          = optional(bool, true)
    }))
    interface_endpoints = optional(set(string))
  })
  default = {}
}

variable "access" {
  description = "How single and cluster are reached. certificate_arn: certificate of domain_name, for a load balancer with TLS; zone_id: Route 53 zone that gets the name. internal: private addresses only. allowed_cidrs: who may connect; null is everybody, and without a certificate the VPC that is made."
  type = object({
    certificate_arn = optional(string)
    domain_name     = optional(string)
    zone_id         = optional(string)
    internal        = optional(bool, false)
    allowed_cidrs   = optional(list(string))
  })
  default = {}

  validation {
    condition     = (var.access.certificate_arn == null) == (var.access.domain_name == null)
    error_message = "access: certificate_arn and domain_name belong together."
  }
  validation {
    condition     = var.profile != "cluster" || var.access.internal || var.access.certificate_arn != null
    error_message = "access: without certificate_arn keys would cross the internet in clear text. Set it and domain_name, or internal = true."
  }
}

variable "functions" {
  description = "The functions of serverless. memory in MiB, reserved_concurrency and further variables of the environment, by name; schedules of flush and compact; fan_out: from how many parts on query invokes itself for the parts of a query, 0 for never, null for 4 where it can; endpoints: http_api or function_url for ingest and query, and principals that may call Function URLs; throttle of the HTTP API."
  type = object({
    memory               = optional(map(number), {})
    environment          = optional(map(map(string)), {})
    schedules            = optional(map(string), {})
    fan_out              = optional(number)
    reserved_concurrency = optional(map(number), {})
    endpoints            = optional(map(string), {})
    principals           = optional(set(string), [])
    throttle             = optional(object({ rate = number, burst = number }), { rate = 1000, burst = 2000 })
  })
  default = {}
}

variable "services" {
  description = "Sizes of ingester, querier and compactor of cluster: processor units, MiB, tasks at least and at most."
  type        = map(object({ cpu = number, memory = number, min = number, max = number }))
  default     = {}

  validation {
    condition     = alltrue([for s in keys(var.services) : contains(["ingester", "querier", "compactor"], s)])
    error_message = "services: there are ingester, querier and compactor."
  }
}

variable "single" {
  description = "The instance of single: type, GOMEMLIMIT (nine tenths of its memory) and volume."
  type = object({
    instance_type = optional(string, "t4g.small")
    memory_limit  = optional(string, "1600MiB")
    volume        = optional(object({ size = number, iops = number, throughput = number }), { size = 20, iops = 3000, throughput = 125 })
  })
  default = {}
}

variable "options" {
  description = "Further keys of docs/configuration.md for single and cluster, as in flags: { \"querier.timeout\" = \"1m\" }."
  type        = map(string)
  default     = {}
}

variable "final_snapshots" {
  description = "Keep snapshots of volumes that are destroyed."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps what functions and tasks log."
  type        = number
  default     = 14
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}
