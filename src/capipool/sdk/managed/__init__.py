"""For clouds that run Kubernetes themselves: clusters that exist there, and pools that they keep by themselves.

Used by providers of EKS and AKS. The engine is not: such a service leaves no instances to keep. `pools` finds whose a
pool is, `planes` is the frame of a control plane that is only read. What is asked and what is said is the provider's.
"""
