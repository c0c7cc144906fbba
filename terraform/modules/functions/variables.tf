variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "functions" {
  description = "The functions, as the submodule plan puts them out."
  type = map(object({
    name        = string
    arn         = string
    memory      = number
    timeout     = number
    scratch     = number
    environment = map(string)
  }))
}

variable "routes" {
  description = "Routes of the HTTP API by function, as the submodule plan puts them out."
  type        = map(list(string))
}

variable "schedules" {
  description = "The schedules, as the submodule plan puts them out."
  type        = map(object({ name = string, every = string, input = string }))
}

variable "roles" {
  description = "Name, trust and policy of the role of each function (ingest), and of each schedule (schedule-flush)."
  type        = map(object({ name = string, trust = string, policy = string }))
}

variable "packages" {
  description = "Where the zip of each function is: a file, or a bucket and a key."
  type        = map(object({ file = optional(string), bucket = optional(string), key = optional(string) }))
}

variable "architecture" {
  description = "Processor of the zips: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: want arm64 or x86_64."
  }
}

variable "endpoints" {
  description = "How ingest and query are reached: http_api (API Gateway; the function asks for keys) or function_url (AWS_IAM; whoever signs as one of principals)."
  type        = map(string)
  default     = { ingest = "http_api", query = "http_api" }

  validation {
    condition     = alltrue([for f in ["ingest", "query"] : contains(["http_api", "function_url"], lookup(var.endpoints, f, ""))])
    error_message = "endpoints: want http_api or function_url for ingest and for query."
  }
}

variable "principals" {
  description = "ARNs of the IAM roles and users that may call Function URLs."
  type        = set(string)
  default     = []
}

variable "reserved_concurrency" {
  description = "How many environments a function may have at once, by name, taken out of the account's. Small accounts cannot reserve any. It throttles, and nothing depends on it."
  type        = map(number)
  default     = {}
}

variable "throttle" {
  description = "Requests per second, and in a burst, that the HTTP API lets through."
  type        = object({ rate = number, burst = number })
  default     = { rate = 1000, burst = 2000 }
}

variable "network" {
  description = "Subnets and security groups of the functions, if NATS is in a VPC. null runs them outside of any."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "partition" {
  description = "AWS partition, for the ARN of the policy that lets functions into a VPC."
  type        = string
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps what the functions log."
  type        = number
  default     = 14
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}
