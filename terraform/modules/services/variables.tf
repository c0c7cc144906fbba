variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "region" {
  description = "Region of the log groups."
  type        = string
}

variable "image" {
  description = "Image of spanlake, as make image builds it, in a registry that the tasks reach."
  type        = string
}

variable "architecture" {
  description = "Processor of the image: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "arguments" {
  description = "Arguments of each service (ingester, querier, compactor), as the submodule plan puts them out."
  type        = map(list(string))
}

variable "sizes" {
  description = "Of each service: processor units (1024 are one), MiB, and tasks at least and at most."
  type        = map(object({ cpu = number, memory = number, min = number, max = number }))
}

variable "roles" {
  description = "Name, trust and policy of the role of each service, and of ECS itself (execution)."
  type        = map(object({ name = string, trust = string, policy = string }))
}

variable "subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
}

variable "public" {
  description = "Give tasks a public address to fetch images and secrets by. Nobody reaches them by it."
  type        = bool
  default     = true
}

variable "target_group_arns" {
  description = "Target groups of the load balancer: grpc and http get the ingesters, query the queriers."
  type        = map(string)
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps what the tasks log."
  type        = number
  default     = 14
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}
