"""What only Azure has: deployments and Microsoft Entra ID."""
