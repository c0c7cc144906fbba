variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "partition" {
  description = "AWS partition, for ARNs."
  type        = string
}

variable "region" {
  description = "Region of the servers."
  type        = string
}

variable "account_id" {
  description = "Account of the servers, for ARNs."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnets" {
  description = "A server is in each, at its tenth address: id, zone and addresses, by name. Three, in three zones, for a log that survives one."
  type        = map(object({ id = string, zone = string, cidr = string }))

  validation {
    condition     = alltrue([for s in values(var.subnets) : can(cidrhost(s.cidr, 10))])
    error_message = "subnets: NATS servers have fixed addresses, so say cidr for each subnet (network.existing.subnets)."
  }
}

variable "public" {
  description = "Give servers a public address to fetch NATS by. Nobody reaches them by it."
  type        = bool
  default     = true
}

variable "clients_security_group_id" {
  description = "Security group of what may connect."
  type        = string
}

variable "instance_type" {
  description = "Type of the servers, of the processor of archive."
  type        = string
  default     = "t4g.small"
}

variable "architecture" {
  description = "Processor of the instances: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "volume" {
  description = "Volume of each server: GiB, operations and MiB per second. It has to hold log.max_bytes of each partition."
  type        = object({ size = number, iops = number, throughput = number })
  default     = { size = 20, iops = 3000, throughput = 125 }
}

variable "archive" {
  description = "NATS itself: URL of the .tar.gz of a release of nats-server, 2.12.3 or later, and its SHA-256."
  type        = object({ url = string, sha256 = string })

  validation {
    condition     = can(regex("^https://", var.archive.url)) && can(regex("^[0-9a-f]{64}$", var.archive.sha256))
    error_message = "archive: want an https:// URL and a SHA-256 of 64 hexadecimal digits."
  }
}

variable "final_snapshot" {
  description = "Keep a snapshot of each volume when it is destroyed."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}
