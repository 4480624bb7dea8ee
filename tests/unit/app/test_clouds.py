"""The environment says where clouds are, in the names that their own tools read."""

from capipool.app.clouds import Clouds


def test_an_empty_environment_says_nothing() -> None:
    assert Clouds.of({}) == Clouds()


def test_the_older_name_of_a_region_is_read_where_the_newer_is_not_set() -> None:
    assert Clouds.of({"AWS_DEFAULT_REGION": "eu-west-1"}).aws_region == "eu-west-1"
    assert Clouds.of({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-north-1"}).aws_region == "eu-north-1"


def test_authority_and_certificates_belong_to_a_resource_manager_that_is_named() -> None:
    about = {"AZURE_AUTHORITY_HOST": "https://login.example/", "SSL_CERT_FILE": "/ca.crt", "AZURE_SUBSCRIPTION_ID": "s"}
    assert Clouds.of(about) == Clouds(azure_subscription="s")
    assert Clouds.of(about | {"AZURE_RESOURCE_MANAGER": "https://127.0.0.1:8443/"}) == Clouds(
        azure_subscription="s",
        azure_endpoint="https://127.0.0.1:8443",
        azure_authority="https://login.example",
        azure_ca_file="/ca.crt",
    )
