variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "region" {
  description = "Region of the endpoints."
  type        = string
}

variable "existing" {
  description = "A VPC that is there: its id, subnets in different zones by any name, with their addresses if servers or the single instance are to be in them, and the route tables that get an endpoint of S3 (none if they have one). null makes a VPC."
  type = object({
    vpc_id          = string
    subnets         = map(object({ id = string, zone = string, cidr = optional(string) }))
    route_table_ids = optional(list(string), [])
    public          = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.existing == null ? true : length(var.existing.subnets) >= var.zones && length(distinct(values(var.existing.subnets)[*].zone)) == length(var.existing.subnets)
    error_message = "existing.subnets: want one in each of at least ${var.zones} zones, and no two in one zone."
  }
}

variable "zones" {
  description = "How many zones there are to be subnets in: three for NATS servers, of which two have to go on."
  type        = number
  default     = 3

  validation {
    condition     = var.zones >= 1 && var.zones <= 3
    error_message = "zones: want 1 to 3."
  }
}

variable "cidr" {
  description = "Addresses of a VPC that is made, a /16 to /24."
  type        = string
  default     = "10.61.0.0/20"

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15))
    error_message = "cidr: want a range of addresses such as 10.61.0.0/20."
  }
}

variable "interface_endpoints" {
  description = "AWS services that functions in the VPC call, such as lambda: each has an endpoint of its own in every zone, which costs by the hour."
  type        = set(string)
  default     = []
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}

variable "balancer" {
  description = "A network load balancer: the certificate of its TLS listeners, whether it has private addresses only, who may connect, and whether its targets are machines (instance) or tasks (ip). null makes none."
  type = object({
    certificate_arn = optional(string)
    internal        = optional(bool, false)
    allowed_cidrs   = optional(list(string), ["0.0.0.0/0"])
    target_type     = string
  })
  default = null

  validation {
    condition     = var.balancer == null ? true : var.balancer.internal || var.balancer.certificate_arn != null
    error_message = "balancer: without certificate_arn keys would cross the internet in clear text. Set it, or internal = true."
  }
}
