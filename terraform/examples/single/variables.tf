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
