"""What is promised, under every fault we can make: acknowledged ⊆ stored ⊆ sent, and nothing twice."""
