variable "region" {
  description = "Region of AWS."
  type        = string
}

variable "projects" {
  description = "Projects and how long their spans are kept."
  type        = any
}

variable "release" {
  description = "Where spanlake is: see the input release of the module."
  type        = any
}

variable "domain_name" {
  description = "Name of the load balancer."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of domain_name, in the region."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of domain_name."
  type        = string
}
