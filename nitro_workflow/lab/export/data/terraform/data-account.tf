# The data account: the owner's role, the data's bucket, alarms on changes of keys and on denied
# use. Second of the four.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.data_account]
  default_tags {
    tags = { @tag@ = "@name@" }
  }
}

variable "region" {
  type    = string
  default = "@region@"
}
variable "data_account" {
  type = string@data-account-default@
}
variable "compute_account" {
  type = string@compute-account-default@
}
variable "owner_operator" {
  type        = string
  description = "ARN of who may become the data owner."
}
variable "trail_log_group" {
  type        = string
  description = "Log group that this account's trail writes to."
}
variable "alarm_email" {
  type        = string
  description = "Who hears of alarms; AWS asks them to confirm."
}

resource "aws_iam_role" "owner" {
  name               = "@role-owner@"
  assume_role_policy = <<-POLICY
@trust-owner@
  POLICY
  # The keys obey nobody else: without this role nobody could change or end them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_role_policy" "owner" {
  name   = "workflow"
  role   = aws_iam_role.owner.id
  policy = <<-POLICY
@owner@
  POLICY
}

resource "aws_s3_bucket" "data" {
  bucket = "@data-bucket@"
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "data" {
  bucket = aws_s3_bucket.data.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "data" {
  bucket = aws_s3_bucket.data.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "data" {
  bucket                  = aws_s3_bucket.data.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id
  policy = <<-POLICY
@bucket-policy@
  POLICY
}

resource "aws_sns_topic" "alarms" {
  name = "@name@-alarms"
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = <<-POLICY
@topic-policy@
  POLICY
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_event_rule" "key_changed" {
  name          = "@name@-key-changed"
  description   = "A key of this account, its policy or its grants were changed."
  event_pattern = <<-PATTERN
@key-changes@
  PATTERN
}

resource "aws_cloudwatch_event_target" "key_changed" {
  rule = aws_cloudwatch_event_rule.key_changed.name
  arn  = aws_sns_topic.alarms.arn
}

resource "aws_cloudwatch_log_metric_filter" "denied_decrypts" {
  name           = "@name@-denied-decrypts"
  log_group_name = var.trail_log_group
  pattern        = <<-PATTERN
@denied-decrypt@
  PATTERN
  metric_transformation {
    namespace     = "@name@"
    name          = "DeniedDecrypts"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "denied_decrypt" {
  alarm_name          = "@name@-denied-decrypt"
  alarm_description   = "A Decrypt was denied to somebody of the data account."
  namespace           = "@name@"
  metric_name         = "DeniedDecrypts"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

output "owner_role_arn" {
  description = "Who makes the two keys."
  value       = aws_iam_role.owner.arn
}
