# The zips of make functions: spanlake-ingest_<version>_linux_arm64.zip.

locals {
  # As Go calls the processors.
  platform = "linux_${var.architecture == "arm64" ? "arm64" : "amd64"}"

  files = { for f in keys(module.plan.functions) : f => (
    var.release.functions_dir == null ? [] : sort(fileset(var.release.functions_dir, "spanlake-${f}_*_${local.platform}.zip"))
  ) }
  packages = { for f, files in local.files : f => var.release.functions_s3 != null ? {
    file   = null
    bucket = var.release.functions_s3.bucket
    key    = "${var.release.functions_s3.prefix}spanlake-${f}_${var.release.functions_s3.version}_${local.platform}.zip"
    } : {
    file   = length(files) == 1 ? "${var.release.functions_dir}/${files[0]}" : "${coalesce(var.release.functions_dir, "-")}/spanlake-${f}_*_${local.platform}.zip: there are ${length(files)}, and one is needed"
    bucket = null
    key    = null
  } }
}
