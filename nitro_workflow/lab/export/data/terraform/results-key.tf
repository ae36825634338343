# The key of the data owner's that wraps what opens results. Its owner uses it without an enclave,
# as is meant. Made as the data owner's role. Last of the four.

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
  assume_role {
    role_arn = "arn:aws:iam::${var.data_account}:role/@role-owner@"
  }
}

variable "region" {
  type    = string
  default = "@region@"
}
variable "data_account" {
  type = string@data-account-default@
}

resource "aws_kms_key" "results" {
  description             = "@name@: results"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = <<-POLICY
@results-key-policy@
  POLICY
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "results" {
  name          = "@results-alias@"
  target_key_id = aws_kms_key.results.key_id
}
