# The same objects as the Kustomize base, out of the same files: nothing is written twice. The provider `kubernetes` is
# configured where this is used:
#
#   module "costlab" {
#     source = "./deploy/terraform"
#     image  = "registry.example.com/costlab:0.1.0"
#   }
terraform {
  required_version = ">= 1.5"
  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.30"
    }
  }
}

variable "namespace" {
  description = "Where the objects are; it is made elsewhere."
  type        = string
  default     = "costlab"
}

variable "image" {
  description = "What the CronJob runs, built from deploy/Dockerfile."
  type        = string
}

variable "schedule" {
  description = "When it runs, in the CronJob's timeZone."
  type        = string
  default     = "30 1 * * *"
}

variable "manifests" {
  description = "The folder of the Kustomize base; null: beside this one."
  type        = string
  default     = null
}

locals {
  folder = coalesce(var.manifests, "${path.module}/../kubernetes")
  texts  = [for name in ["rbac.yaml", "networkpolicy.yaml", "cronjob.yaml"] : file("${local.folder}/${name}")]
  # What stands between slashes is a regular expression to Terraform.
  chosen = [for text in local.texts : replace(replace(text, "/image: \\S+/", "image: ${var.image}"), "/schedule: \"[^\"]*\"/", "schedule: \"${var.schedule}\"")]
  objects = {
    for object in [for document in flatten([for text in local.chosen : split("\n---\n", text)]) : yamldecode("${document}\n")] :
    "${object.kind}/${object.metadata.name}" => object
  }
}

resource "kubernetes_manifest" "costlab" {
  for_each = local.objects
  manifest = merge(each.value, { metadata = merge(each.value.metadata, { namespace = var.namespace }) })
}
