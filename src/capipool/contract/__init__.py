"""What providers and Cluster API promise each other, as functions over objects of kinds known only at run time.

Every accessor takes an `Unstructured`, and the contract version by which the object is read where the two versions
differ (`contract.versions.served` says which). Nothing here fails on an object that breaks its promise.
"""
