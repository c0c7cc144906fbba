# What is refused before anything is changed, and what is next to it and is not.

variables {
  account  = { partition = "aws", region = "eu-west-1", id = "123456789012" }
  bucket   = { name = "traces" }
  projects = { shop = { retention_days = 30 } }
}

run "one_project_too_many" {
  command = plan
  variables {
    projects = { for i in range(991) : "p${i}" => { retention_days = 1 } }
  }
  expect_failures = [var.projects]
}

run "no_days" {
  command = plan
  variables {
    projects = { shop = { retention_days = 0 } }
  }
  expect_failures = [var.projects]
}

run "one_day" {
  command = plan
  variables {
    projects = { shop = { retention_days = 1 } }
  }
}

run "half_a_day" {
  command = plan
  variables {
    projects = { shop = { retention_days = 0.5 } }
  }
  expect_failures = [var.projects]
}

run "more_than_200_years" {
  command = plan
  variables {
    projects = { shop = { retention_days = 73001 } }
  }
  expect_failures = [var.projects]
}

run "just_200_years" {
  command = plan
  variables {
    projects = { shop = { retention_days = 73000 } }
  }
}

run "rule_of_no_days" {
  command = plan
  variables {
    projects = { shop = { rules = [{ filter = "{}", retention_days = 0 }] } }
  }
  expect_failures = [var.projects]
}

run "days_and_for_ever" {
  command = plan
  variables {
    projects = { shop = { retention_days = 1, unlimited = true } }
  }
  expect_failures = [var.projects]
}

run "upper_case_name" {
  command = plan
  variables {
    projects = { Shop = {} }
  }
  expect_failures = [var.projects]
}

run "name_with_a_slash" {
  command = plan
  variables {
    projects = { "a/b" = {} }
  }
  expect_failures = [var.projects]
}

run "name_that_begins_with_a_dot" {
  command = plan
  variables {
    projects = { ".a" = {} }
  }
  expect_failures = [var.projects]
}

run "longest_name" {
  command = plan
  variables {
    projects = { (join("", [for i in range(63) : "a"])) = {} }
  }
}

run "too_long_a_name" {
  command = plan
  variables {
    projects = { (join("", [for i in range(64) : "a"])) = {} }
  }
  expect_failures = [var.projects]
}

run "alias_that_is_a_name" {
  command = plan
  variables {
    projects = { shop = { aliases = ["web"] } }
  }
  expect_failures = [var.projects]
}

run "longest_alias" {
  command = plan
  variables {
    projects = { shop = { aliases = [join("", concat([for i in range(63) : "ä"], ["aa"]))] } }
  }
}

run "too_long_an_alias" {
  command = plan
  variables {
    projects = { shop = { aliases = [join("", concat([for i in range(63) : "ä"], ["aaa"]))] } }
  }
  expect_failures = [var.projects]
}

run "alias_with_a_line_end" {
  command = plan
  variables {
    projects = { shop = { aliases = ["The\nShop"] } }
  }
  expect_failures = [var.projects]
}

run "alias_of_two_projects" {
  command = plan
  variables {
    projects = { shop = { aliases = ["The Web"] }, web = { aliases = ["The Web"] } }
  }
  expect_failures = [var.projects]
}

run "limit_below_none" {
  command = plan
  variables {
    projects = { shop = { limits = { query_bytes = -2 } } }
  }
  expect_failures = [var.projects]
}

run "prices_that_are_none" {
  command = plan
  variables {
    projects = { shop = { prices = "{\"input\": 1}" } }
  }
  expect_failures = [var.projects]
}

run "prices" {
  command = plan
  variables {
    projects = { shop = { prices = "[{\"model\": \"our-model\", \"input\": 1e-6}]" } }
  }
}

run "eleven_rules" {
  command = plan
  variables {
    projects = { shop = { rules = [for i in range(11) : { filter = "{}", retention_days = 1 }] } }
  }
  expect_failures = [var.projects]
}

run "default_of_no_days" {
  command = plan
  variables {
    default_retention_days = 0
  }
  expect_failures = [var.default_retention_days]
}

run "catch_all_as_short_as_a_project" {
  command = plan
  variables {
    catch_all_days = 33
  }
  expect_failures = [var.catch_all_days]
}

run "catch_all_a_day_longer" {
  command = plan
  variables {
    catch_all_days = 34
  }
}

run "catch_all_of_what_is_kept_for_ever" {
  command = plan
  variables {
    projects       = { shop = { unlimited = true } }
    catch_all_days = 10000
  }
  expect_failures = [var.catch_all_days]
}

run "prefix_without_a_slash" {
  command = plan
  variables {
    bucket = { name = "traces", prefix = "a" }
  }
  expect_failures = [var.bucket]
}

run "no_grace" {
  command = plan
  variables {
    grace_days = 0
  }
  expect_failures = [var.grace_days]
}

run "one_part_of_a_query" {
  command = plan
  variables {
    functions = { fan_out = 1 }
  }
  expect_failures = [var.functions]
}

run "two_parts_of_a_query" {
  command = plan
  variables {
    functions = { fan_out = 2 }
  }
}

run "environment_of_no_function" {
  command = plan
  variables {
    functions = { environment = { queries = {} } }
  }
  expect_failures = [var.functions]
}

run "schedule_that_is_none" {
  command = plan
  variables {
    functions = { schedules = { flush = "every minute" } }
  }
  expect_failures = [var.functions]
}

run "schedule_of_what_has_none" {
  command = plan
  variables {
    functions = { schedules = { ingest = "rate(1 minute)" } }
  }
  expect_failures = [var.functions]
}
