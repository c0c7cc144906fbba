# rendered.json is what Go makes of this module (deploy/test/terraform), and what the
# tests of the programs hold their calls against: it has to be Terraform's own result.

variables {
  account     = jsondecode(file("tests/rendered.tfvars.json")).account
  bucket      = jsondecode(file("tests/rendered.tfvars.json")).bucket
  projects    = jsondecode(file("tests/rendered.tfvars.json")).projects
  nats        = jsondecode(file("tests/rendered.tfvars.json")).nats
  archive_arn = jsondecode(file("tests/rendered.tfvars.json")).archive_arn
}

run "rendered" {
  command = plan

  assert {
    condition     = { for role, text in output.policies : role => jsondecode(text) } == jsondecode(file("tests/rendered.json")).policies
    error_message = "policies differ from rendered.json"
  }
  assert {
    condition     = { for role, text in output.trust : role => jsondecode(text) } == jsondecode(file("tests/rendered.json")).trust
    error_message = "trust differs from rendered.json"
  }
  assert {
    condition     = { for key, text in output.settings : key => jsondecode(text) } == jsondecode(file("tests/rendered.json")).settings
    error_message = "settings differ from rendered.json"
  }
  assert {
    condition     = jsonencode(output.lifecycle_rules) == jsonencode(jsondecode(file("tests/rendered.json")).lifecycle_rules)
    error_message = "lifecycle rules differ from rendered.json"
  }
  assert {
    condition     = jsonencode([output.functions, output.routes]) == jsonencode([for part in ["functions", "routes"] : jsondecode(file("tests/rendered.json"))[part]])
    error_message = "functions or routes differ from rendered.json"
  }
  assert {
    condition     = jsonencode([output.arguments, output.single_arguments, output.role_names]) == jsonencode([for part in ["arguments", "single_arguments", "role_names"] : jsondecode(file("tests/rendered.json"))[part]])
    error_message = "arguments or names differ from rendered.json"
  }
}
