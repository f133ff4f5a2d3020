"""The device classes of Home Assistant's sensors, as far as they matter to averages.

`tests/home_assistant` holds them against the real ones.
"""

# With these the state class `measurement` is wrong, which an average has.
NO_MEASUREMENT = frozenset(
    {
        *("date", "energy", "enum", "gas", "monetary", "reactive_energy", "timestamp", "uptime"),
        *("volume", "water", "wind_direction"),
    }
)
# With these it is right.
MEASUREMENT = frozenset(
    {
        *("absolute_humidity", "apparent_power", "aqi", "area", "atmospheric_pressure", "battery"),
        *("blood_glucose_concentration", "carbon_dioxide", "carbon_monoxide", "conductivity"),
        *("current", "data_rate", "data_size", "distance", "duration", "energy_distance"),
        *("energy_storage", "frequency", "humidity", "illuminance", "irradiance", "moisture"),
        *("nitrogen_dioxide", "nitrogen_monoxide", "nitrous_oxide", "ozone", "ph", "pm1", "pm10"),
        *("pm25", "pm4", "power", "power_factor", "precipitation", "precipitation_intensity"),
        *("pressure", "reactive_power", "signal_strength", "sound_pressure", "speed"),
        *("sulphur_dioxide", "temperature", "temperature_delta", "volatile_organic_compounds"),
        *("volatile_organic_compounds_parts", "voltage", "volume_flow_rate", "volume_storage"),
        *("weight", "wind_speed"),
    }
)
# A difference of two values of the one is one of the other: zero degrees are no difference.
DIFFERENCE_OF = {"temperature": "temperature_delta"}
