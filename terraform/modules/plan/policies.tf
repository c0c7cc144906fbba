# What each role may do. Nothing here is "Resource": "*": objects are named by the
# prefixes of schema/README.md, functions, log groups and secrets by their ARNs.

locals {
  arn        = "arn:${var.account.partition}"
  bucket_arn = "${local.arn}:s3:::${var.bucket.name}"

  ingest  = { list = ["blocks", "projects"], get = ["projects"], put = ["claims"], delete = [] }
  flush   = { list = ["blocks", "claims", "projects"], get = ["claims", "projects"], put = ["blocks", "undecodable"], delete = ["claims"] }
  compact = { list = ["blocks", "claims", "erasures", "media", "projects"], get = ["blocks", "claims", "erasures", "media", "projects"], put = ["blocks", "erasures", "media"], delete = ["blocks", "erasures", "media"] }
  query   = { list = ["blocks", "erasures", "projects"], get = ["blocks", "claims", "erasures", "projects"], put = [], delete = [] }
  # Files that clients send with their spans or beside them.
  media = { list = ["media"], get = ["media"], put = ["media"], delete = [] }
  # What the API of projects and erasures writes, which a service's querier has.
  admin = { list = ["blocks", "erasures", "projects"], get = ["blocks", "erasures", "projects"], put = ["erasures", "projects"], delete = ["projects"] }

  jobs = {
    ingest    = [local.ingest, local.media]
    flush     = [local.flush]
    compact   = [local.compact]
    query     = [local.query]
    ingester  = [local.ingest, local.flush, local.media]
    querier   = [local.query, local.admin]
    compactor = [local.compact]
    single    = [local.ingest, local.flush, local.media, local.compact, local.query, local.admin]
    operator  = [local.admin]
  }
  function_names = { for f in ["ingest", "flush", "compact", "query"] : f => "${var.name}-${f}" }
  services       = ["ingester", "querier", "compactor"]

  folders = { for role, jobs in local.jobs : role => {
    for action in ["list", "get", "put", "delete"] : action => sort(distinct(flatten(jobs[*][action])))
  } }

  # Services look whether the bucket is there by a listing of nothing in particular.
  list_also = { for role in keys(local.jobs) : role => contains(concat(local.services, ["single"]), role) ? [var.bucket.prefix] : [] }

  # S3 answers 403 and not 404 for an object that is gone, unless its reader may list
  # the bucket; it asks that without a prefix. All have to tell "gone" from "forbidden",
  # so all may list without one, too.
  objects = { for role, f in local.folders : role => concat(
    [{
      Sid       = "List", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.bucket_arn]
      Condition = { StringLikeIfExists = { "s3:prefix" = concat(local.list_also[role], [for folder in f.list : "${var.bucket.prefix}${folder}/*"]) } }
    }],
    [for action, names in { Get = ["s3:GetObject"], Put = ["s3:PutObject", "s3:AbortMultipartUpload"], Delete = ["s3:DeleteObject"] } : {
      Sid                       = action, Effect = "Allow", Action = names, Resource = [for folder in f[lower(action)] : "${local.bucket_arn}/${var.bucket.prefix}${folder}/*"]
    } if length(f[lower(action)]) > 0],
  ) }

  # An erasure is done when no version is left, and what Terraform has written of
  # lifecycle rules is compared with the projects.
  compacts = ["compact", "compactor", "single"]
  versions = [
    { Sid = "ListVersions", Effect = "Allow", Action = ["s3:ListBucketVersions"], Resource = [local.bucket_arn], Condition = { StringLike = { "s3:prefix" = [for folder in ["blocks", "claims", "erasures", "media"] : "${var.bucket.prefix}${folder}/*"] } } },
    { Sid = "DeleteVersions", Effect = "Allow", Action = ["s3:DeleteObjectVersion"], Resource = [for folder in ["blocks", "claims", "erasures", "media"] : "${local.bucket_arn}/${var.bucket.prefix}${folder}/*"] },
    { Sid = "Lifecycle", Effect = "Allow", Action = ["s3:GetLifecycleConfiguration"], Resource = [local.bucket_arn] },
  ]

  encryption = [for key in [var.bucket.kms_key_arn] : { Sid = "Encryption", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = [key] } if key != null]

  credentials_secret = try(var.nats.credentials_secret_arn, null)
  secret             = [for arn in [local.credentials_secret] : { Sid = "Credentials", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = [arn] } if arn != null]

  function_logs = { for f, name in local.function_names : f => {
    Sid      = "Logs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${local.arn}:logs:${var.account.region}:${var.account.id}:log-group:/aws/lambda/${name}:*"]
  } }
  function_arns = { for f, name in local.function_names : f => "${local.arn}:lambda:${var.account.region}:${var.account.id}:function:${name}" }

  # Parts of a query go to further invocations of the same function.
  fan_out = { Sid = "FanOut", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [local.function_arns.query] }

  archive = [for arn in [var.archive_arn] : { Sid = "Archive", Effect = "Allow", Action = ["s3:GetObject"], Resource = [arn] } if arn != null]

  statements = merge(
    { for role, objects in local.objects : role => concat(
      objects,
      [for s in local.versions : s if contains(local.compacts, role)],
      local.encryption,
      [for f, s in local.function_logs : s if f == role],
      [for s in local.secret : s if contains(concat(keys(local.function_names), local.services), role)],
      [for s in [local.fan_out] : s if role == "query" && var.functions.fan_out > 0],
      [for s in local.archive : s if role == "single"],
    ) },
    { for f in keys(local.schedules) : "schedule-${f}" => [
      { Sid = "Invoke", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [local.function_arns[f]] },
    ] },
    # ECS itself writes the logs of tasks.
    { execution = [{
      Sid      = "Logs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${local.arn}:logs:${var.account.region}:${var.account.id}:log-group:/ecs/${var.name}:*"]
    }] },
  )

  policies = { for role, statements in local.statements : role => jsonencode({ Version = "2012-10-17", Statement = statements }) }

  trusted = merge(
    { for f in keys(local.function_names) : f => "lambda.amazonaws.com" },
    { for f in keys(local.schedules) : "schedule-${f}" => "scheduler.amazonaws.com" },
    { for s in concat(local.services, ["execution"]) : s => "ecs-tasks.amazonaws.com" },
    { single = "ec2.amazonaws.com" },
  )
  # Another account's schedules and tasks must not take a role by way of the service.
  trust = { for role, service in local.trusted : role => jsonencode({
    Version = "2012-10-17"
    Statement = [{ for key, value in {
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = service }
      Condition = contains(["scheduler.amazonaws.com", "ecs-tasks.amazonaws.com"], service) ? { StringEquals = { "aws:SourceAccount" = var.account.id } } : null
    } : key => value if value != null }]
  }) }

  # For a bucket that is made here: nobody reads or writes it in clear text.
  bucket_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TLS", Effect = "Deny", Principal = "*", Action = "s3:*", Resource = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
