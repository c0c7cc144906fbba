variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "account" {
  description = "Where everything is: partition (aws), region and id of the account."
  type        = object({ partition = string, region = string, id = string })
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet" {
  description = "Where the instance is, at the twentieth address: id, zone and addresses of a subnet."
  type        = object({ id = string, zone = string, cidr = string })

  validation {
    condition     = can(cidrhost(var.subnet.cidr, 20))
    error_message = "subnet: the instance has a fixed address, so say cidr for each subnet (network.existing.subnets)."
  }
}

variable "public" {
  description = "Give the instance a public address to fetch the program by. Nobody reaches it by it."
  type        = bool
  default     = true
}

variable "security_group_ids" {
  description = "Further security groups of the instance."
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Who may connect to the instance itself, without TLS: ranges of private addresses."
  type        = list(string)
  default     = []
}

variable "instance_type" {
  description = "Type of the instance, of the processor of archive."
  type        = string
  default     = "t4g.small"
}

variable "architecture" {
  description = "Processor of the instance: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "volume" {
  description = "The volume, for the log and for merges: GiB, operations and MiB per second."
  type        = object({ size = number, iops = number, throughput = number })
  default     = { size = 20, iops = 3000, throughput = 125 }
}

variable "final_snapshot" {
  description = "Keep a snapshot of the volume when it is destroyed."
  type        = bool
  default     = true
}

variable "archive" {
  description = "The release: https:// or s3:// URL of its .tar.gz for the processor, and its SHA-256."
  type        = object({ url = string, sha256 = string })

  validation {
    condition     = can(regex("^(https|s3)://", var.archive.url)) && can(regex("^[0-9a-f]{64}$", var.archive.sha256))
    error_message = "archive: want an https:// or s3:// URL and a SHA-256 of 64 hexadecimal digits."
  }
}

variable "arguments" {
  description = "Arguments of the program, as the submodule plan puts them out."
  type        = list(string)
}

variable "memory_limit" {
  description = "GOMEMLIMIT of the program: nine tenths of the instance's memory."
  type        = string
  default     = "1600MiB"
}

variable "role" {
  description = "Name, trust and policy of the instance's role."
  type        = object({ name = string, trust = string, policy = string })
}

variable "target_group_arns" {
  description = "Target groups of the load balancer, if there is one."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}
