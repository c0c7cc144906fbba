variables {
  account = { partition = "aws", region = "eu-west-1", id = "123456789012" }
  bucket  = { name = "traces" }
  projects = {
    shop = { retention_days = 90 }
    web  = { retention_days = 7, rules = [{ filter = "{ status = error }", retention_days = 30 }], limits = { query_bytes = 5 }, aliases = ["The Web"] }
    rest = {}
  }
}

run "one_rule_for_each_project" {
  command = plan

  assert {
    condition = { for r in output.lifecycle_rules : r.id => "${r.prefix} ${coalesce(r.expire_days, 0)} ${coalesce(r.abort_days, 0)} ${coalesce(r.noncurrent_days, 0)}" } == {
      spanlake-all          = "blocks/ 94 0 0"
      spanlake-claims       = "claims/ 14 1 1"
      spanlake-media        = "media/ 94 1 1"
      spanlake-media-rest   = "media/rest/ 33 0 0"
      spanlake-media-shop   = "media/shop/ 93 0 0"
      spanlake-media-web    = "media/web/ 33 0 0"
      spanlake-project-rest = "blocks/rest/ 33 0 0"
      spanlake-project-shop = "blocks/shop/ 93 0 0"
      spanlake-project-web  = "blocks/web/ 33 0 0"
      spanlake-uploads      = "blocks/ 0 1 1"
    }
    error_message = "rules: ${jsonencode(output.lifecycle_rules)}"
  }
  assert {
    condition = output.settings == {
      "projects/rest/settings.json" = "{\"managed_by\":\"terraform\"}"
      "projects/shop/settings.json" = "{\"managed_by\":\"terraform\",\"retention\":\"90d\"}"
      "projects/web/settings.json"  = jsonencode({ aliases = ["The Web"], limits = { query_bytes = 5 }, managed_by = "terraform", retention = "7d", rules = [{ filter = "{ status = error }", retention = "30d" }] })
    }
    error_message = "settings: ${jsonencode(output.settings)}"
  }
}

run "changing_days_changes_the_rules_and_the_object_of_a_project" {
  command = plan

  variables {
    projects = {
      shop = { retention_days = 90 }
      web  = { retention_days = 31, rules = [{ filter = "{ status = error }", retention_days = 30 }], limits = { query_bytes = 5 }, aliases = ["The Web"] }
      rest = {}
    }
  }
  assert {
    condition     = [for r in output.lifecycle_rules : r.id if !contains(run.one_rule_for_each_project.lifecycle_rules, r)] == ["spanlake-project-web", "spanlake-media-web"]
    error_message = "rules: ${jsonencode(output.lifecycle_rules)}"
  }
  assert {
    condition     = [for key, text in output.settings : key if run.one_rule_for_each_project.settings[key] != text] == ["projects/web/settings.json"]
    error_message = "settings: ${jsonencode(output.settings)}"
  }
}

run "a_prefix_of_all_keys" {
  command = plan

  variables {
    bucket = { name = "traces", prefix = "a/", versioned = true }
  }
  assert {
    condition     = alltrue([for r in output.lifecycle_rules : startswith(r.prefix, "a/") && endswith(r.prefix, "/")]) && alltrue([for key in keys(output.settings) : startswith(key, "a/projects/")])
    error_message = "rules: ${jsonencode(output.lifecycle_rules)}"
  }
  assert {
    condition     = length(setsubtract(["a/blocks/", "a/claims/", "a/erasures/", "a/media/", "a/projects/", "a/undecodable/"], [for r in output.lifecycle_rules : r.prefix if r.noncurrent_days == 1])) == 0
    error_message = "versions stay in some folder: ${jsonencode(output.lifecycle_rules)}"
  }
}

run "nothing_is_deleted_by_the_catch_all_of_what_is_kept_for_ever" {
  command = plan

  variables {
    projects = { shop = { unlimited = true }, web = { retention_days = 7 } }
  }
  assert {
    condition     = [for r in output.lifecycle_rules : r.id if r.expire_days != null] == ["spanlake-claims", "spanlake-project-web", "spanlake-media-web"]
    error_message = "rules: ${jsonencode(output.lifecycle_rules)}"
  }
  assert {
    condition     = output.settings["projects/shop/settings.json"] == "{\"managed_by\":\"terraform\",\"retention\":\"unlimited\"}"
    error_message = "settings: ${jsonencode(output.settings)}"
  }
}

run "a_default_that_is_for_ever" {
  command = plan

  variables {
    default_retention_days = null
  }
  assert {
    condition     = [for r in output.lifecycle_rules : r.id if r.expire_days != null] == ["spanlake-claims", "spanlake-project-shop", "spanlake-project-web", "spanlake-media-shop", "spanlake-media-web"]
    error_message = "rules: ${jsonencode(output.lifecycle_rules)}"
  }
}

run "days_of_the_catch_all" {
  command = plan

  variables {
    catch_all_days = 94
  }
  assert {
    condition     = [for r in output.lifecycle_rules : r.expire_days if r.id == "spanlake-all"] == [94]
    error_message = "rules: ${jsonencode(output.lifecycle_rules)}"
  }
}

run "as_many_projects_as_there_may_be" {
  command = plan

  variables {
    projects = { for i in range(990) : "p${i}" => { retention_days = 1 } }
  }
  assert {
    condition     = length(output.lifecycle_rules) == 994 && length(distinct(output.lifecycle_rules[*].id)) == 994
    error_message = "there are ${length(output.lifecycle_rules)} rules"
  }
}
