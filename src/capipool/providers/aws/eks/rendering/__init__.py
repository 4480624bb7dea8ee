"""What nodes of EKS boot with, as bytes. Pure: everything that a user referred to is resolved before it comes here."""
