"""What a build records about itself: manifest, bill of materials, inventory, state."""
